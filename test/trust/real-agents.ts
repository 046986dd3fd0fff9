/** Two nodes as network namespaces, with an agent each as a kubelet would run it: a process, with the token of a pod of its Node. */
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeKubeconfig } from '../../lab/kubeconfig.ts';
import { exited, run, spawnLogged } from '../../lab/processes.ts';
import { AGENT, type Cluster } from './cluster.ts';

const CLI = fileURLToPath(new URL('../../cli/sheath.ts', import.meta.url));
const API_PORT = 6443;
const NAMES = ['n1', 'n2'] as const;
export type NodeName = (typeof NAMES)[number];
const netnsOf = (name: NodeName) => `trust-${name}`;
/** As `Cluster` made the Nodes. */
const UNDERLAY = {
  n1: ['192.0.2.11/24', '2001:db8::11/64'],
  n2: ['192.0.2.12/24', '2001:db8::12/64'],
} as const;

export class RealAgents {
  readonly #cluster: Cluster;
  readonly #folder: string;
  readonly #processes = new Map<NodeName, ChildProcess>();
  /** Where in its log the agent that runs now begins. */
  readonly #begun = new Map<NodeName, number>();

  private constructor(cluster: Cluster, folder: string) {
    this.#cluster = cluster;
    this.#folder = folder;
  }

  static async open(cluster: Cluster): Promise<RealAgents> {
    const agents = new RealAgents(cluster, await mkdtemp(join(tmpdir(), 'sheath-trust-')));
    for (const name of NAMES) await run(['ip', 'netns', 'add', netnsOf(name)]);
    const [one, other] = NAMES.map(netnsOf);
    await run([
      'ip',
      '-n',
      String(one),
      'link',
      'add',
      'under0',
      'type',
      'veth',
      'peer',
      'name',
      'under0',
      'netns',
      String(other),
    ]);
    for (const name of NAMES) {
      for (const address of UNDERLAY[name])
        await agents.inside(
          name,
          'ip',
          'address',
          'add',
          address,
          'dev',
          'under0',
          ...(address.includes(':') ? ['nodad'] : []),
        );
      for (const link of ['lo', 'under0']) await agents.inside(name, 'ip', 'link', 'set', link, 'up');
      await agents.inside(name, 'ip', 'route', 'add', 'default', 'dev', 'under0');
      await cluster.api.exposeIn({ netns: netnsOf(name), address: '127.0.0.1', port: API_PORT });
    }
    return agents;
  }

  inside(name: NodeName, ...argv: readonly string[]): Promise<string> {
    return run(['ip', 'netns', 'exec', netnsOf(name), ...argv]);
  }

  async start(name: NodeName): Promise<void> {
    const folder = join(this.#folder, name);
    const wireguard = join(folder, 'wireguard');
    await mkdir(wireguard, { recursive: true });
    const kubeconfig = join(folder, 'kubeconfig');
    await writeKubeconfig(kubeconfig, {
      server: `https://127.0.0.1:${API_PORT}`,
      certificateAuthority: await readFile(join(this.#cluster.api.folder, 'certs', 'apiserver.crt')),
      serverName: 'kubernetes.default.svc',
      token: await this.#cluster.tokenOf(AGENT, name),
    });
    const argv = [
      ...['ip', 'netns', 'exec', netnsOf(name), process.execPath, '--conditions=source', CLI, 'agent'],
      ...['--node-name', name, '--kubeconfig', kubeconfig, '--http', 'none', '--log-level', 'debug'],
      ...['--state-dir', join(folder, 'state'), '--run-dir', join(folder, 'run')],
    ];
    this.#begun.set(name, (await this.log(name).catch(() => '')).length);
    this.#processes.set(name, spawnLogged(argv, join(folder, 'log')));
  }

  /** What a kubelet sends. Resolves with the milliseconds that it took to end. */
  async terminate(name: NodeName): Promise<number> {
    const child = this.#processes.get(name);
    if (child === undefined) throw new Error(`no agent on ${name}`);
    const startedAt = performance.now();
    child.kill('SIGTERM');
    await exited(child);
    return performance.now() - startedAt;
  }

  /** Whether the agent that runs now has taken its resource from the API server. */
  async follows(name: NodeName): Promise<boolean> {
    return (await this.log(name)).slice(this.#begun.get(name)).includes('follows EncryptionMesh');
  }

  log(name: NodeName): Promise<string> {
    return readFile(join(this.#folder, name, 'log'), 'utf8');
  }

  /** What of ours the node's kernel holds: table of the firewall, devices, rules. */
  async left(name: NodeName): Promise<readonly string[]> {
    const tables = await this.inside(name, 'nft', 'list', 'tables');
    const links = await this.inside(name, 'ip', '-o', 'link');
    const rules = await this.inside(name, 'ip', 'rule');
    return [
      ...tables.split('\n').filter((line) => line.includes('sheath')),
      ...[...links.matchAll(/\b(sheath\d)\b/g)].map(([link]) => link),
      ...rules.split('\n').filter((line) => line.includes('5183')),
    ];
  }

  async close(): Promise<void> {
    for (const child of this.#processes.values()) {
      child.kill('SIGKILL');
      await exited(child);
    }
    for (const name of NAMES) {
      // Without its device wireguard-go ends.
      for (const device of ['sheath0', 'sheath1'])
        await this.inside(name, 'ip', 'link', 'del', device).catch(() => '');
      await run(['ip', 'netns', 'del', netnsOf(name)]);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Three nodes that follow the EncryptionMesh of an embedded API server, and what crosses the wire between them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { apiTarget } from '../../../lab/api-client.ts';
import { type CaptureReport, startCapture } from '../../../lab/capture/start.ts';
import { agentStatus, nodeNamed, untilAgents } from '../../../lab/nodes/agents.ts';
import type { Lab } from '../../../lab/nodes/folder.ts';
import { labDown, labUp, runInNode } from '../../../lab/nodes/lab.ts';
import { applyMesh } from '../../../lab/nodes/mesh.ts';
import { run } from '../../../lab/processes.ts';
import type { TrafficReport } from '../../../lab/traffic/report.ts';
import type { TrafficOptions } from '../../../lab/traffic/run.ts';
import { startTraffic } from '../../../lab/traffic/start.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import type { AgentStatus } from '../../../operator/status.ts';

const NAME = 'strict';
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** User-mode Linux is slow, and the machine may be busy. */
const PATIENCE = 60_000;

export interface StrictOptions {
  readonly encryption: 'wireguard' | 'ipsec';
  /** Nodes and pods without IPv4. */
  readonly onlyIPv6?: boolean;
}

const strictSpec = ({ encryption, onlyIPv6 = false }: StrictOptions): Spec => {
  const families = (v4: string, v6: string) => (onlyIPv6 ? [v6] : [v4, v6]);
  return {
    encryption,
    mode: 'strict',
    clusterPrefixes: families('10.244.0.0/16', 'fd00:10:244::/48'),
    nodePrefixes: families('192.0.2.0/24', '2001:db8::/64'),
    // Where the lab's API server is.
    exempt: families('192.0.2.1/32', '2001:db8::1/128'),
    rotation: { drain: '5s' },
  };
};

export interface Seen {
  readonly wire: CaptureReport;
  readonly traffic: TrafficReport;
}

export class StrictMesh {
  readonly lab: Lab;
  /** The EncryptionMesh of a mesh that is shut. */
  readonly strict: Spec;

  private constructor(lab: Lab, strict: Spec) {
    this.lab = lab;
    this.strict = strict;
  }

  /** Network and API; no agents yet. */
  static async create(options: StrictOptions): Promise<StrictMesh> {
    const program = `${ROOT}dist/sheath.mjs`;
    if (!existsSync(program)) execFileSync(process.execPath, [`${ROOT}bundle.mjs`], { stdio: 'ignore' });
    await labDown(NAME);
    const lab = await labUp({
      name: NAME,
      nodes: 3,
      ipv6: true,
      ipv4: options.onlyIPv6 !== true,
      through: 'resource',
      withoutAgents: true,
      program: [process.execPath, program],
    });
    return new StrictMesh(lab, strictSpec(options));
  }

  async close(): Promise<void> {
    await labDown(NAME);
  }

  /** Writes the EncryptionMesh, whole. */
  async say(spec: Spec): Promise<void> {
    await applyMesh(this.lab, await apiTarget(this.lab.kubeconfig), spec);
  }

  on(node: string, command: string): Promise<string> {
    return runInNode(this.lab, node, ['sh', '-ec', command]);
  }

  /** No packet of an agent reaches the API server. */
  async cutApi(): Promise<void> {
    const chain = 'add chain inet cut in { type filter hook input priority 0; }';
    await this.#onWire(`add table inet cut; ${chain}; add rule inet cut in tcp dport 6443 drop`);
  }

  async joinApi(): Promise<void> {
    await this.#onWire('delete table inet cut');
  }

  async #onWire(commands: string): Promise<void> {
    await run(['ip', 'netns', 'exec', this.lab.topology.wire, 'nft', commands]);
  }

  async status(node: string): Promise<AgentStatus> {
    const status = await agentStatus(this.lab, nodeNamed(this.lab, node));
    assert.ok(status, `the agent of ${node} answers`);
    return status;
  }

  async dropped(node: string): Promise<number> {
    const { door } = await this.status(node);
    return (door?.dropped ?? []).reduce((sum, { packets }) => sum + packets, 0);
  }

  until(wanted: (status: AgentStatus) => boolean, ...names: readonly string[]): Promise<void> {
    const nodes = names.map((name) => nodeNamed(this.lab, name));
    return untilAgents(this.lab, wanted, { patience: PATIENCE, ...(nodes.length > 0 && { nodes }) });
  }

  untilEncrypted(): Promise<void> {
    return this.until(({ state, door }) => state === 'encrypted' && door?.shut === true);
  }

  /** Traffic between all pods and hosts, and what the wire shows of it, while `work` lasts. */
  async watch(work: () => Promise<void>, options: TrafficOptions = {}): Promise<Seen> {
    const traffic = await startTraffic(this.lab, { rate: 25, between: 'all', ...options });
    // Before: its first packets, which find the neighbours, are ours as well.
    const capture = await startCapture(this.lab.topology);
    try {
      await work();
      await sleep(300);
    } catch (error) {
      await Promise.allSettled([traffic.stop(), capture.stop()]);
      throw error;
    }
    const wire = await capture.stop();
    return { wire, traffic: await traffic.stop() };
  }

  /** What another hand did to peers is seen at the agent's next look, ten seconds later at most. */
  async untilAllArrives(): Promise<void> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const seen = await this.watch(async () => {}, { rate: 10 });
      assert.deepEqual(this.leaks(seen), []);
      if (seen.traffic.lost === 0) return;
      assert.ok(performance.now() < deadline, `${seen.traffic.lost} packets are lost still`);
    }
  }

  /** What these nodes, or their pods, sent or were sent that anybody could read; host to host aside. */
  leaks({ wire }: Seen, from: readonly string[] = ['n1', 'n2', 'n3']): CaptureReport['clearBetween'] {
    assert.equal(wire.dropped, 0, 'the capture is complete');
    const members = this.lab.topology.members;
    const hosts = new Set(members.flatMap(({ addresses }) => addresses));
    const senders = new Set(
      members
        .filter(({ name }) => from.includes(name))
        .flatMap(({ addresses, pods, gateways }) => [
          ...addresses,
          ...gateways,
          ...pods.flatMap((pod) => pod.addresses),
        ]),
    );
    return wire.clearBetween.filter(
      (one) => senders.has(one.from) && !(hosts.has(one.from) && hosts.has(one.to)),
    );
  }
}

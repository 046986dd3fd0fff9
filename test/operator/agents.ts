/** Agents with fake kernels against the embedded API server, for a suite: `const lab = useAgents()`. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer, type RequestRecord } from '../../lab/api/server.ts';
import type { ApiTarget } from '../../lab/api-client.ts';
import { runAgent } from '../../operator/agent/run.ts';
import { loadLayers } from '../../operator/config/load.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { createNode, getNode } from '../support/nodes.ts';
import { FakeKernel, FakeNetwork, fakeDataplane } from './fake-kernel.ts';

export interface RunningAgent {
  readonly name: string;
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

export interface Change {
  readonly encryption?: string;
  /** Further flags, by their name in camel case. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly http?: string;
}

export class Agents {
  readonly network = new FakeNetwork();
  readonly requests: RequestRecord[] = [];
  readonly folder: string;
  readonly server: ApiServer;
  readonly target: ApiTarget;
  readonly #running = new Set<RunningAgent>();
  onRequest: (request: RequestRecord) => void = () => {};

  private constructor(folder: string, server: ApiServer, url: URL) {
    this.folder = folder;
    this.server = server;
    this.target = { url, tls: {}, headers: {} };
  }

  /** Nodes n1, n2 and n3 are there, without agents. */
  static async open(): Promise<Agents> {
    const folder = await mkdtemp(join(tmpdir(), 'sheath-agent-'));
    const heard: { by?: Agents } = {};
    const server = new ApiServer({ bookmarkEvery: 1000, onRequest: (each) => heard.by?.heard(each) });
    const agents = new Agents(folder, server, new URL(await server.listen()));
    heard.by = agents;
    await writeFile(join(folder, 'kubeconfig'), kubeconfig(agents.target.url));
    for (const i of [1, 2, 3]) await createNode(agents.target, nodeSpec(`n${i}`, i));
    return agents;
  }

  heard(each: RequestRecord): void {
    this.requests.push(each);
    this.onRequest(each);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((each) => each.stop()));
    await this.server.close();
    await rm(this.folder, { recursive: true });
  }

  async start(
    name: string,
    kernel: FakeKernel,
    { encryption = 'wireguard', flags = {}, http }: Change = {},
  ): Promise<RunningAgent> {
    const ending = new AbortController();
    const done = runAgent(
      {
        nodeName: name,
        layers: await loadLayers({ flags: { encryption, ...flags }, environment: {} }),
        kubeconfig: join(this.folder, 'kubeconfig'),
        stateDir: join(this.folder, name, 'state'),
        runDir: join(this.folder, name, 'run'),
        logLevel: 'silent',
        version: '9.9.9',
        dataplane: fakeDataplane(kernel),
        ...(http === undefined ? {} : { http }),
      },
      ending.signal,
    );
    done.catch(() => undefined);
    const agent: RunningAgent = {
      name,
      done,
      stop: async () => {
        this.#running.delete(agent);
        ending.abort();
        await done.catch(() => undefined);
      },
    };
    this.#running.add(agent);
    return agent;
  }

  async stop(name: string): Promise<void> {
    await [...this.#running].find((each) => each.name === name)?.stop();
  }

  /** Agents on n1, n2 and n3, which have found each other. */
  async mesh(change: Change = {}): Promise<Record<'n1' | 'n2' | 'n3', FakeKernel>> {
    const { network } = this;
    const kernels = { n1: new FakeKernel(network), n2: new FakeKernel(network), n3: new FakeKernel(network) };
    for (const [name, kernel] of Object.entries(kernels)) await this.start(name, kernel, change);
    for (const name of Object.keys(kernels)) await this.becomes(name, 'encrypted');
    return kernels;
  }

  socket(name: string): string {
    return join(this.folder, name, 'run', 'agent.sock');
  }

  async get<T>(name: string, path: string): Promise<T> {
    return JSON.parse((await ask(this.socket(name), path)).body) as T;
  }

  status(name: string): Promise<AgentStatus> {
    return this.get<AgentStatus>(name, '/status');
  }

  becomes(name: string, state: AgentStatus['state']): Promise<AgentStatus> {
    return until(
      `${name} is ${state}`,
      () => this.status(name),
      (now) => now.state === state,
    );
  }

  /** By name, sorted. */
  async annotations(name: string): Promise<Readonly<Record<string, string>>> {
    return Object.fromEntries(
      Object.entries((await getNode(this.target, name)).metadata.annotations ?? {}).sort(),
    );
  }
}

/** A fresh set for each test of the suite. */
export function useAgents(): { readonly now: Agents } {
  let agents: Agents | undefined;
  beforeEach(async () => {
    agents = await Agents.open();
  });
  afterEach(() => agents?.close());
  return {
    get now() {
      assert.ok(agents);
      return agents;
    },
  };
}

export function nodeSpec(name: string, i: number, annotations: Readonly<Record<string, string>> = {}) {
  return { name, podCIDRs: [`10.244.${i}.0/24`], addresses: [`192.0.2.${i}`], annotations };
}

export async function until<T>(
  what: string,
  look: () => Promise<T>,
  good: (value: T) => boolean,
): Promise<T> {
  const deadline = Date.now() + 15_000;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const value = await look();
      if (good(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    await sleep(20);
  }
  return assert.fail(`${what}: ${JSON.stringify(last instanceof Error ? last.message : last)}`);
}

export function ask(
  where: string | { port: number },
  path: string,
): Promise<{ status: number; body: string }> {
  const to = typeof where === 'string' ? { socketPath: where } : { host: '127.0.0.1', port: where.port };
  return new Promise((resolve, reject) => {
    const asked = request({ ...to, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

function kubeconfig(server: URL): string {
  return JSON.stringify({
    'current-context': 'lab',
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    clusters: [{ name: 'lab', cluster: { server: server.origin } }],
    users: [{ name: 'lab', user: {} }],
  });
}

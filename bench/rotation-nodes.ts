/** Simulated nodes that go through a rotation as `docs/generations.md` says, fifty writes a second over all of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiTarget, call } from '../lab/api-client.ts';
import { addressesOf, nodeName, prefixesOf } from './cluster.ts';
import { type Ask, portOf, type Told } from './rotation-peers.ts';

/** Writes of the cluster a second. */
export const WRITES = 50;
/** Requests under way at a time. */
const AT_ONCE = 8;

export class SimulatedNodes {
  readonly #target: ApiTarget;
  readonly #numbers: readonly number[];
  readonly #peers: ChildProcess;
  /** By generation. */
  readonly #keys = new Map<number, Told>();
  writes = 0;

  /** `netns`: where their devices are. */
  constructor(target: ApiTarget, numbers: readonly number[], netns: string) {
    this.#target = target;
    this.#numbers = numbers;
    const node = ['node', '--conditions=source', '--disable-warning=ExperimentalWarning'];
    const file = new URL('rotation-peers.ts', import.meta.url).pathname;
    this.#peers = spawn('ip', ['netns', 'exec', netns, ...node, file], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** Gives each a key of this generation, which nobody knows yet. */
  async prepare(generation: number): Promise<void> {
    const [from = 0, to = 0] = [this.#numbers[0], this.#numbers.at(-1)];
    this.#keys.set(generation, await this.#ask({ ask: 'create', generation, from, to: to + 1 }));
  }

  /** From now on they answer whoever has this key. */
  async meet(generation: number, publicKey: string): Promise<void> {
    await this.#ask({ ask: 'meet', generation, publicKey });
  }

  /** What node `i` publishes that holds and sends so. */
  annotations(i: number, held: readonly number[], sending: readonly number[]): Record<string, string> {
    const generations = held.map((generation) => ({
      generation,
      driver: 'wireguard',
      publicKey: this.#keys.get(generation)?.[i],
      port: portOf(i, generation),
    }));
    return {
      'sheath.dev/generations': JSON.stringify(generations),
      'sheath.dev/endpoints': addressesOf(i)[0],
      'sheath.dev/prefixes': prefixesOf(i).join(','),
      'sheath.dev/sending': sending.join(','),
    };
  }

  /** Every one takes this step, each in its share of the time. */
  async step(held: readonly number[], sending: readonly number[]): Promise<void> {
    const began = performance.now();
    const due = this.#numbers.entries();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const [index, i] of due) {
          await sleep(Math.max(0, began + (index / WRITES) * 1000 - performance.now()));
          await this.#publish(i, this.annotations(i, held, sending));
        }
      }),
    );
  }

  close(): void {
    if (this.#peers.connected) this.#peers.disconnect();
  }

  async #publish(i: number, annotations: Record<string, string>): Promise<void> {
    this.writes += 1;
    await call(this.#target, {
      method: 'PATCH',
      path: `/api/v1/nodes/${nodeName(i)}`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { annotations } },
    });
  }

  #ask(ask: Ask): Promise<Told> {
    return new Promise((resolve, reject) => {
      this.#peers.once('message', (told) => resolve(told as Told));
      this.#peers.once('exit', () => reject(new Error('the peers ended')));
      this.#peers.send(ask);
    });
  }
}

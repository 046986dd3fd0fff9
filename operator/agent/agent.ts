/**
 * The agent: two queues, one for the kernel and one for the API server, so that neither waits for the other.
 *
 *   records, own Node, kernel's notices, timers ──▶ kernel queue: turn, look
 *                                                        │ what to publish, what to keep
 *                                                        ▼
 *                                               API queue: own, publish, save
 */
import type { Logger } from 'pino';
import type { PeerStatus } from '../../mesh/types.ts';
import type { Dataplane } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';
import { OperatorError } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { nodePath, parseNode } from '../kube/node.ts';
import type { NodeRecords } from '../records/nodes.ts';
import type { RecordsChange } from '../records/source.ts';
import { WorkQueue } from '../workqueue.ts';
import { firstTurnFailure } from './first-turn.ts';
import type { KernelLoop } from './kernel-loop.ts';
import type { Mesher, TurnOutcome } from './mesher.ts';
import type { Narrator } from './narrator.ts';
import { ownNodeOf, sameOwnNode } from './own-node.ts';
import { DISK_AFTER, lookIn, OWN_NODE_PACE, OWN_NODE_REST, REST, SAVE_AFTER, TOUCH_EVERY } from './pace.ts';
import { type Publisher, wayOut } from './publisher.ts';

export interface AgentParts {
  readonly node: string;
  readonly mesher: Mesher;
  readonly kernel: KernelLoop;
  readonly publisher: Publisher;
  readonly records: NodeRecords;
  readonly client: KubeClient;
  readonly dataplane: Dataplane;
  readonly narrator: Narrator;
  /** Puts what we know on disk. */
  readonly save: () => Promise<void>;
  /** Marks what is on disk as still true. */
  readonly touch: (now: number) => Promise<void>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

type KernelKey = 'turn' | 'look';
type ApiKey = 'own' | 'publish' | 'save' | 'touch';

export class Agent {
  readonly #parts: AgentParts;
  readonly #kernelQueue: WorkQueue<KernelKey>;
  readonly #apiQueue: WorkQueue<ApiKey>;
  #diskWillDo = false;
  #turned = false;
  #lastTurnAt: number | undefined;
  #unsaved = false;
  #ownReadAt = Number.NEGATIVE_INFINITY;
  #progressAt = 0;
  #die: (error: unknown) => void = () => {};

  constructor(parts: AgentParts) {
    this.#parts = parts;
    const { clock, random } = parts;
    this.#kernelQueue = new WorkQueue<KernelKey>({
      work: (key) => (key === 'turn' ? this.#turn() : this.#look()),
      failed: (_key, error) => this.#turnFailed(error),
      clock,
      random,
    });
    this.#apiQueue = new WorkQueue<ApiKey>({
      work: (key) => this.#callApi(key),
      failed: (key, error) => this.#callFailed(key, error),
      clock,
      random,
      workers: 4,
      firstRetry: 250,
    });
  }

  /** A peer's state moved: look often again. */
  progress(): void {
    this.#progressAt = this.#parts.clock.now();
  }

  /** Whether the kernel was made equal to what is known, at least once. */
  get turned(): boolean {
    return this.#turned;
  }

  /** When the last turn ended; undefined before the first. */
  get lastTurnAt(): number | undefined {
    return this.#lastTurnAt;
  }

  /** Resolves when the signal aborted and all work ended. @throws OperatorError when it cannot start */
  async run(signal: AbortSignal): Promise<void> {
    const { records, dataplane, clock, log } = this.#parts;
    const ending = new AbortController();
    const end = AbortSignal.any([signal, ending.signal]);
    const died = new Promise<never>((_, reject) => {
      this.#die = reject;
    });
    const reflecting = records.run((what) => this.#learned(what), end);
    dataplane.watch((what) => this.#disturbed(what, log), end);
    this.#apiQueue.add('own');
    this.#apiQueue.addAfter('touch', TOUCH_EVERY);
    clock.after(DISK_AFTER, () => this.apiAway());
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      await Promise.race([aborted, died]);
    } finally {
      ending.abort();
      await Promise.all([this.#kernelQueue.close(), this.#apiQueue.close(), reflecting]);
      if (this.#unsaved)
        await this.#parts.save().catch((error: unknown) => log.warn({ err: error }, 'not saved'));
    }
  }

  #learned(what: RecordsChange): void {
    if (what === 'connection') {
      if (this.#parts.records.status().connected) this.#apiQueue.add('publish');
      this.#parts.narrator.statusMoved();
      return;
    }
    if (what === 'own') this.#ownMoved();
    else this.#known();
    this.#kernelQueue.add('turn');
  }

  #known(): void {
    this.progress();
    this.#unsaved = true;
    this.#apiQueue.addAfter('save', SAVE_AFTER);
  }

  #ownMoved(): void {
    const { records, mesher, clock } = this.#parts;
    this.#apiQueue.add('publish');
    const view = records.own();
    const stranger = view.state !== 'present' || view.metadata.uid !== mesher.own?.uid;
    this.#apiQueue.addAfter('own', stranger ? 0 : Math.max(0, this.#ownReadAt + OWN_NODE_PACE - clock.now()));
  }

  #disturbed(what: string, log: Logger): void {
    log.debug({ event: 'kernel', what }, 'the kernel was changed');
    this.#kernelQueue.add('turn');
  }

  /** The API server is away, or slow: begin with what the disk holds. */
  apiAway(): void {
    if (this.#diskWillDo) return;
    this.#diskWillDo = true;
    this.#kernelQueue.add('turn');
  }

  async #turn(): Promise<void> {
    const { records, mesher, narrator, clock } = this.#parts;
    const { source } = records.status();
    // Without the others' records every peer in the kernel would look like one that is gone.
    if (source === 'none' || (source === 'disk' && !this.#diskWillDo)) return;
    const startedAt = performance.now();
    const clearBefore = mesher.clear;
    const outcome = await mesher.turn();
    if (outcome === undefined) return;
    narrator.turned(outcome.report, (performance.now() - startedAt) / 1000);
    const failure = this.#turned ? undefined : firstTurnFailure(outcome.report, this.#parts.kernel.statuses);
    if (failure !== undefined) return this.#die(failure);
    this.#turned = true;
    this.#lastTurnAt = clock.now();
    if (mesher.clear !== clearBefore) this.#known();
    this.#apiQueue.add('publish');
    this.#schedule(outcome, clock.now());
  }

  #schedule({ report, nextAt }: TurnOutcome, now: number): void {
    const waits = [REST, ...report.pending.map((pending) => pending.retryAfter)];
    if (nextAt !== undefined) waits.push(Math.max(0, nextAt - now));
    this.#kernelQueue.addAfter('turn', Math.min(...waits));
    this.#lookLater();
  }

  async #look(): Promise<void> {
    if (await this.#parts.kernel.look()) this.#kernelQueue.add('turn');
    else this.#lookLater();
  }

  #lookLater(): void {
    const waiting = [...this.#parts.kernel.statuses.values()].some(isWaiting);
    if (waiting) this.#kernelQueue.addAfter('look', lookIn(this.#parts.clock.now() - this.#progressAt));
  }

  #turnFailed(error: unknown): void {
    this.#parts.narrator.turnFailed(error);
    if (!this.#turned) this.#die(error);
  }

  #callApi(key: ApiKey): Promise<void> {
    switch (key) {
      case 'own':
        return this.#readOwn();
      case 'publish':
        return this.#publish();
      case 'save':
        return this.#save();
      case 'touch':
        return this.#touch();
    }
  }

  async #readOwn(): Promise<void> {
    const { client, node, mesher, narrator, clock } = this.#parts;
    const own = ownNodeOf(parseNode(await client.get(nodePath(node))));
    this.#ownReadAt = clock.now();
    this.#apiQueue.addAfter('own', OWN_NODE_REST);
    narrator.ownNode(own);
    if (sameOwnNode(mesher.own, own)) return;
    mesher.own = own;
    this.#known();
    this.#kernelQueue.add('turn');
  }

  async #publish(): Promise<void> {
    const { mesher, records, publisher, narrator } = this.#parts;
    if (mesher.wanted === undefined || records.status().source !== 'api') return;
    const wait = await publisher.publish(mesher.wanted, records.own());
    if (wait !== undefined) return this.#apiQueue.addAfter('publish', wait);
    narrator.published();
    // What was withdrawn frees the next step of the withdrawal.
    if (mesher.withdrawing) this.#kernelQueue.add('turn');
  }

  async #save(): Promise<void> {
    if (this.#parts.mesher.own === undefined) return;
    this.#unsaved = false;
    await this.#parts.save();
  }

  async #touch(): Promise<void> {
    const { records, clock, touch } = this.#parts;
    this.#apiQueue.addAfter('touch', TOUCH_EVERY);
    if (records.status().connected) await touch(clock.now());
  }

  #callFailed(key: ApiKey, error: unknown): void {
    const { node, mesher, narrator } = this.#parts;
    const notFound = error instanceof KubeError && error.code === 'NOT_FOUND';
    if (key === 'own' && notFound && mesher.own === undefined) {
      this.#die(
        new OperatorError(
          'NODE_NOT_FOUND',
          `there is no Node ${node}: give the name that kubectl get nodes shows with --node-name`,
          { cause: error },
        ),
      );
    }
    const message = error instanceof KubeError ? wayOut(error, node) : String(error);
    narrator.callFailed(key, error, message);
    if (
      key === 'publish' &&
      error instanceof KubeError &&
      ['NOT_FOUND', 'CONFLICT', 'INVALID'].includes(error.code)
    )
      this.#apiQueue.add('own');
  }
}

function isWaiting(status: PeerStatus): boolean {
  return status.state === 'configured' || status.state === 'established';
}

/**
 * The agent: two sides, one for the kernel and one for the API server, so that neither waits for the other.
 *
 *   records, own Node, kernel's notices, timers ──▶ kernel queue: turn, look
 *                                                        │ what to publish, what to keep
 *                                                        ▼
 *                                               API side: own, publish, save, touch
 */
import type { Logger } from 'pino';
import type { Dataplane } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { PrefixesBehind } from '../prefixes/own.ts';
import type { NodeRecords } from '../records/nodes.ts';
import type { RecordsChange } from '../records/source.ts';
import { WorkQueue } from '../workqueue.ts';
import { ApiSide } from './api-side.ts';
import { firstTurnFailure } from './first-turn.ts';
import type { KernelLoop } from './kernel-loop.ts';
import type { Live } from './live.ts';
import type { Mesher, TurnOutcome } from './mesher.ts';
import type { Narrator } from './narrator.ts';
import { DISK_AFTER, lookIn, Progress, REST, turnIn } from './pace.ts';
import type { Publisher } from './publisher.ts';

export interface AgentParts {
  readonly node: string;
  readonly live: Live;
  readonly mesher: Mesher;
  readonly kernel: KernelLoop;
  readonly publisher: Publisher;
  readonly records: NodeRecords;
  readonly prefixes: PrefixesBehind;
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

type Key = 'turn' | 'look';

export class Agent {
  readonly #parts: AgentParts;
  readonly #queue: WorkQueue<Key>;
  readonly #api: ApiSide;
  #diskWillDo = false;
  #turned = false;
  #lastTurnAt: number | undefined;
  readonly #progress = new Progress();
  /** Milliseconds that the last look took. */
  #costOfLook = 0;
  /** When the last turn ended, by `performance.now()`, and the milliseconds that it took. */
  #lastTurn = { endedAt: Number.NEGATIVE_INFINITY, cost: 0 };
  #die: (error: unknown) => void = () => {};

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#queue = new WorkQueue<Key>({
      work: (key) => (key === 'turn' ? this.#turn() : this.#look()),
      failed: (_key, error) => this.#turnFailed(error),
      clock: parts.clock,
      random: parts.random,
    });
    this.#api = new ApiSide(parts, {
      turnDue: () => this.#queue.add('turn'),
      died: (error) => this.#die(error),
    });
  }

  /** A peer's state moved: look often again. */
  progress(): void {
    this.#progress.made(this.#parts.clock.now());
  }

  /** What is behind this node may be another. */
  prefixesChanged(): void {
    this.#api.ownPrefixes();
  }

  /** What `Live` says is another. */
  configChanged(): void {
    this.#parts.prefixes.follow();
    this.#api.ownPrefixes();
    this.#queue.add('turn');
  }

  /** The API server is away, or slow: begin with what the disk holds. */
  apiAway(): void {
    if (this.#diskWillDo) return;
    this.#diskWillDo = true;
    this.#queue.add('turn');
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
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await this.#firstDoor();
    const reflecting = records.run((what) => this.#learned(what), end);
    const following = this.#parts.prefixes.run(end);
    dataplane.watch((what) => {
      log.debug({ event: 'kernel', what }, 'the kernel was changed');
      this.#queue.add('turn');
    }, end);
    this.#api.start();
    const callOff = clock.after(DISK_AFTER, () => this.apiAway());
    try {
      await Promise.race([aborted, died]);
    } finally {
      ending.abort();
      callOff();
      await Promise.all([this.#queue.close(), this.#api.close(), reflecting, following]);
    }
  }

  /** Before the API server is asked: a node that boots must not wait for it in the open. */
  async #firstDoor(): Promise<void> {
    const { mesher, dataplane, log } = this.#parts;
    const plan = mesher.firstDoor;
    if (plan === undefined || dataplane.shut === undefined) return;
    const { changes, errors } = await dataplane.shut(plan);
    for (const { code, message } of errors) log.error({ event: 'door', code }, message);
    if (changes.length > 0) log.info({ event: 'door' }, 'shut the door, as the disk says');
  }

  #learned(what: RecordsChange): void {
    switch (what) {
      case 'connection':
        if (this.#parts.records.status().connected) this.#api.publish();
        this.#parts.narrator.statusMoved();
        return;
      case 'own':
        this.#api.ownMoved();
        break;
      case 'records':
        this.progress();
        this.#api.known();
        this.#turnSoon();
        return;
    }
    this.#queue.add('turn');
  }

  /** At once, unless turns came thick and fast. */
  #turnSoon(): void {
    const { endedAt, cost } = this.#lastTurn;
    const wait = turnIn(performance.now() - endedAt, cost);
    if (wait > 0) this.#queue.addAfter('turn', wait);
    else this.#queue.add('turn');
  }

  async #turn(): Promise<void> {
    const { records, mesher, narrator, clock, kernel, live } = this.#parts;
    const { source } = records.status();
    // Without the others' records every peer in the kernel would look like one that is gone.
    if (source === 'none' || (source === 'disk' && !this.#diskWillDo)) return;
    const { basis } = live();
    if (basis === 'nothing' || (basis !== 'api' && !this.#diskWillDo)) return;
    const startedAt = performance.now();
    const { evidence, reserved } = mesher;
    const outcome = await mesher.turn();
    if (outcome === undefined) return;
    narrator.turned(outcome.report, (performance.now() - startedAt) / 1000);
    const failure = this.#turned ? undefined : firstTurnFailure(outcome.report, kernel.statuses);
    if (failure !== undefined) return this.#die(failure);
    this.#turned = true;
    this.#lastTurnAt = clock.now();
    this.#lastTurn = { endedAt: performance.now(), cost: performance.now() - startedAt };
    const known = mesher.evidence === evidence && mesher.reserved === reserved;
    if (!known) this.#api.known();
    this.#api.publish();
    this.#schedule(outcome, clock.now());
  }

  #schedule({ report, nextAt }: TurnOutcome, now: number): void {
    const waits = [REST, ...report.pending.map((pending) => pending.retryAfter)];
    if (nextAt !== undefined) waits.push(Math.max(0, nextAt - now));
    this.#queue.addAfter('turn', Math.min(...waits));
    this.#lookLater();
  }

  async #look(): Promise<void> {
    const startedAt = performance.now();
    const moved = await this.#parts.kernel.look();
    this.#costOfLook = performance.now() - startedAt;
    if (moved) this.#turnSoon();
    else this.#lookLater();
  }

  #lookLater(): void {
    const wait = lookIn(this.#progress.since(this.#parts.clock.now()), this.#costOfLook);
    // By then a turn looks anyway.
    if (wait >= REST) return;
    if (this.#parts.kernel.waits) this.#queue.addAfter('look', wait);
  }

  #turnFailed(error: unknown): void {
    this.#parts.narrator.turnFailed(error);
    if (!this.#turned) this.#die(error);
  }
}

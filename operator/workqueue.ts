/**
 * A queue of keys with the semantics of client-go's workqueue:
 *
 *   fair      keys are worked on in the order in which they came
 *   stingy    a key that was added many times before its turn is worked on once
 *   one       a key is never worked on twice at once; added meanwhile, it has another turn afterwards
 *   ending    `close` lets what is being worked on end, and starts nothing more
 *
 * An error of the worker brings the key back with a growing delay; a success forgets the delay.
 */
import type { Clock } from './clock.ts';
import { type Backoff, createBackoff } from './kube/backoff.ts';

export interface WorkQueueOptions<Key> {
  /** Level-triggered: reads all it needs, for the key says only *what* to look at. */
  readonly work: (key: Key) => Promise<void>;
  /** The worker threw; it is tried again after `retryIn` milliseconds. */
  readonly failed?: (key: Key, error: unknown, retryIn: number) => void;
  readonly clock: Clock;
  readonly random: () => number;
  /** How many keys are worked on at once. Default: 1. */
  readonly workers?: number;
  /** Milliseconds. Default: 100 and 30 s. */
  readonly firstRetry?: number;
  readonly longestRetry?: number;
}

export class WorkQueue<Key> {
  readonly #options: WorkQueueOptions<Key>;
  /** Keys to work on, in order. Every one of them is in `#dirty` and not in `#working`. */
  readonly #queue: Key[] = [];
  /** Keys that need a turn. */
  readonly #dirty = new Set<Key>();
  /** Keys that have their turn now. */
  readonly #working = new Set<Key>();
  /** Keys that come later, each with its moment. */
  readonly #later = new Map<Key, { readonly at: number; readonly callOff: () => void }>();
  readonly #retries = new Map<Key, Backoff>();
  readonly #ended: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions<Key>) {
    this.#options = options;
  }

  add(key: Key): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (this.#working.has(key)) return;
    this.#queue.push(key);
    this.#start();
  }

  /** The earliest of several moments holds. */
  addAfter(key: Key, ms: number): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    const at = now + ms;
    const planned = this.#later.get(key);
    if (planned !== undefined && planned.at < now) {
      // The clock was set forward: its timer, which does not know, would come much later than all that is asked for now.
      planned.callOff();
      this.#later.delete(key);
      this.add(key);
      return;
    }
    if (planned !== undefined && planned.at <= at) return;
    planned?.callOff();
    const callOff = this.#options.clock.after(ms, () => {
      this.#later.delete(key);
      this.add(key);
    });
    this.#later.set(key, { at, callOff });
  }

  /** Resolves when nothing is being worked on any more. */
  close(): Promise<void> {
    this.#closed = true;
    for (const { callOff } of this.#later.values()) callOff();
    this.#later.clear();
    this.#queue.length = 0;
    this.#dirty.clear();
    if (this.#working.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#ended.push(resolve));
  }

  #start(): void {
    while (this.#working.size < (this.#options.workers ?? 1)) {
      const key = this.#queue.shift();
      if (key === undefined) return;
      this.#dirty.delete(key);
      this.#working.add(key);
      void this.#run(key);
    }
  }

  async #run(key: Key): Promise<void> {
    try {
      await this.#options.work(key);
      this.#retries.delete(key);
    } catch (error) {
      this.#retry(key, error);
    }
    this.#working.delete(key);
    if (this.#closed) {
      if (this.#working.size === 0) for (const resolve of this.#ended.splice(0)) resolve();
      return;
    }
    if (this.#dirty.has(key)) this.#queue.push(key);
    this.#start();
  }

  #retry(key: Key, error: unknown): void {
    const { random, firstRetry = 100, longestRetry = 30_000 } = this.#options;
    const backoff =
      this.#retries.get(key) ?? createBackoff({ first: firstRetry, longest: longestRetry, random });
    this.#retries.set(key, backoff);
    const ms = backoff.next();
    this.addAfter(key, ms);
    this.#options.failed?.(key, error, ms);
  }
}

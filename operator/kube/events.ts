/**
 * Events (core/v1) for people who ask `kubectl describe`. They may be lost: what must not be lost stands in a status.
 *
 * The same said again within ten minutes raises the count of the first, at most once a minute; and nobody writes more than a burst of
 * `BURST`, then one every ten seconds.
 */
import { randomUUID } from 'node:crypto';
import { type Clock, remaining } from '../clock.ts';
import { WorkQueue } from '../workqueue.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';

export interface EventAbout {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid?: string | undefined;
  /** Absent: cluster-scoped; its events go to `default`. */
  readonly namespace?: string;
}

export interface SaidEvent {
  readonly about: EventAbout;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, stable. */
  readonly reason: string;
  readonly message: string;
}

export interface EventWriterOptions {
  readonly client: Pick<KubeClient, 'create' | 'merge'>;
  /** `sheath-controller`. */
  readonly component: string;
  /** Of which there may be several: a pod, a node. */
  readonly instance: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** The first of a row of failures. */
  readonly onTrouble?: (error: unknown) => void;
}

const SAME_WITHIN = 600_000;
const COUNT_PACE = 60_000;
const BURST = 25;
const REFILL = 10_000;
/** What is remembered, and what waits to be written. */
const MOST = 256;
const TRIES = 3;
/** The API server refuses longer ones (core validation: 1024). */
const MESSAGE_MAX = 1000;

interface Series {
  readonly said: SaidEvent;
  readonly name: string;
  count: number;
  /** How much of the count the API server has. */
  written: number;
  readonly firstAt: number;
  lastAt: number;
  writtenAt: number;
  failures: number;
}

export class EventWriter {
  readonly #options: EventWriterOptions;
  readonly #queue: WorkQueue<string>;
  /** By what was said; the latest is the last. */
  readonly #series = new Map<string, Series>();
  #tokens = BURST;
  #refilledAt: number;
  #troubled = false;

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#refilledAt = options.clock.now();
    this.#queue = new WorkQueue({
      work: (key) => this.#write(key),
      clock: options.clock,
      random: options.random,
      firstRetry: 1_000,
    });
  }

  /** Never throws, never waits. */
  say(said: SaidEvent): void {
    const { about, type, reason, message } = said;
    const key = [about.kind, about.uid ?? about.name, type, reason, message].join('\n');
    const now = this.#options.clock.now();
    const known = this.#series.get(key);
    const series = known !== undefined && now - known.lastAt < SAME_WITHIN ? known : this.#begin(said, now);
    series.count += 1;
    series.lastAt = now;
    this.#series.delete(key);
    this.#series.set(key, series);
    for (const oldest of this.#series.keys()) if (this.#series.size > MOST) this.#series.delete(oldest);
    this.#queue.addAfter(key, series.written === 0 ? 0 : remaining(series.writtenAt, COUNT_PACE, now));
  }

  /** What was not written yet is lost. Resolves when nothing is under way. */
  close(): Promise<void> {
    return this.#queue.close();
  }

  #begin(said: SaidEvent, now: number): Series {
    return {
      said,
      name: `${said.about.name.slice(0, 200)}.${randomUUID().slice(0, 13)}`,
      count: 0,
      written: 0,
      firstAt: now,
      lastAt: now,
      writtenAt: Number.NEGATIVE_INFINITY,
      failures: 0,
    };
  }

  async #write(key: string): Promise<void> {
    const series = this.#series.get(key);
    if (series === undefined || series.written === series.count) return;
    const wait = this.#waitForToken();
    if (wait > 0) return this.#queue.addAfter(key, wait);
    const { count } = series;
    try {
      await this.#send(series);
      series.written = count;
      series.writtenAt = this.#options.clock.now();
      this.#troubled = false;
    } catch (error) {
      this.#failed(key, series, error);
    }
  }

  #failed(key: string, series: Series, error: unknown): void {
    if (!this.#troubled) this.#options.onTrouble?.(error);
    this.#troubled = true;
    series.failures += 1;
    const hopeless = error instanceof KubeError && HOPELESS.includes(error.code);
    if (hopeless || series.failures >= TRIES) this.#series.delete(key);
    else throw error;
  }

  async #send(series: Series): Promise<void> {
    const { client } = this.#options;
    const namespace = series.said.about.namespace ?? 'default';
    const path = `/api/v1/namespaces/${namespace}/events`;
    const counted = { count: series.count, lastTimestamp: rfc3339(series.lastAt) };
    if (series.written > 0) {
      try {
        await client.merge(`${path}/${series.name}`, counted);
        return;
      } catch (error) {
        // Events are kept for an hour by default, and may be deleted.
        if (!(error instanceof KubeError && error.code === 'NOT_FOUND')) throw error;
      }
    }
    try {
      await client.create(path, { ...this.#object(series, namespace), ...counted });
    } catch (error) {
      // Ours, from a try that was not answered.
      if (!(error instanceof KubeError && error.code === 'CONFLICT')) throw error;
    }
  }

  #object({ said, name, firstAt }: Series, namespace: string): object {
    const { component, instance } = this.#options;
    const { about, type, reason, message } = said;
    const { namespace: _, ...cluster } = about;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: about.namespace === undefined ? cluster : about,
      type,
      reason,
      message: message.slice(0, MESSAGE_MAX),
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
      firstTimestamp: rfc3339(firstAt),
    };
  }

  /** Milliseconds; 0: one was taken. */
  #waitForToken(): number {
    const now = this.#options.clock.now();
    const grown = Math.floor(Math.max(0, now - this.#refilledAt) / REFILL);
    if (grown > 0 || now < this.#refilledAt) {
      this.#tokens = Math.min(BURST, this.#tokens + grown);
      this.#refilledAt = now < this.#refilledAt ? now : this.#refilledAt + grown * REFILL;
    }
    if (this.#tokens === 0) return remaining(this.#refilledAt, REFILL, now);
    this.#tokens -= 1;
    return 0;
  }
}

const HOPELESS: readonly string[] = ['FORBIDDEN', 'INVALID', 'NOT_FOUND'];

function rfc3339(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

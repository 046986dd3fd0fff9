/** Misbehaviour on request, for so many requests or for a time: what a client of the API must survive. */
import * as z from 'zod';
import type { Resource } from './objects.ts';
import type { Snapshot } from './store.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'other';

const faultSchema = z.object({
  /**
   * - `cut`: the connection is reset instead of answered.
   * - `delay`: the answer comes `delayMs` later.
   * - `hang`: no answer comes at all.
   * - `status`: an error with the code `status` (500) and, when set, `Retry-After: retryAfter`.
   * - `gone`: 410 Expired, as the HTTP status.
   * - `gone-event`: 410 Expired as the ERROR event of a watch.
   * - `stale`: a list shows the state at the time when the fault was set.
   */
  kind: z.enum(['cut', 'delay', 'hang', 'status', 'gone', 'gone-event', 'stale']),
  verb: z.enum(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'other']).optional(),
  /** Plural name of the resource. */
  resource: z.string().optional(),
  /** Ends after this many requests. */
  requests: z.int().positive().optional(),
  /** Ends after this many milliseconds. */
  forMs: z.int().positive().optional(),
  delayMs: z.int().positive().default(1000),
  status: z.int().min(400).max(599).default(500),
  retryAfter: z.int().optional(),
});

export type FaultInput = z.input<typeof faultSchema>;

export interface Fault extends z.output<typeof faultSchema> {
  readonly until: number;
  /** For `stale`. */
  readonly snapshots: ReadonlyMap<Resource, Snapshot>;
}

export interface Asked {
  readonly verb: Verb;
  readonly resource?: Resource;
}

export class Faults {
  #active: (Fault & { left: number })[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Throws `ZodError` for what is no fault. */
  add(input: unknown, snapshots: ReadonlyMap<Resource, Snapshot>): void {
    const fault = faultSchema.parse(input);
    const until = fault.forMs === undefined ? Number.POSITIVE_INFINITY : this.#now() + fault.forMs;
    this.#active.push({ ...fault, until, snapshots, left: fault.requests ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#active = [];
  }

  /** The first fault that concerns this request; uses up one of its requests. */
  take(asked: Asked): Fault | undefined {
    const now = this.#now();
    this.#active = this.#active.filter((fault) => fault.left > 0 && fault.until > now);
    const fault = this.#active.find((candidate) => concerns(candidate, asked));
    if (fault) fault.left -= 1;
    return fault;
  }
}

function concerns(fault: Fault, { verb, resource }: Asked): boolean {
  if (fault.verb !== undefined && fault.verb !== verb) return false;
  if (fault.resource !== undefined && fault.resource !== resource?.plural) return false;
  if (fault.kind === 'gone-event') return verb === 'watch';
  return fault.kind !== 'stale' || verb === 'list';
}

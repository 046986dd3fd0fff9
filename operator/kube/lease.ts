/**
 * Leader election on a Lease (coordination.k8s.io/v1): at no moment do two believe that they lead.
 *
 *   leader     believes so until `deadline` after it *sent* the last renewal that went well, then stops by itself
 *   follower   takes the Lease when it saw no change of it for as long as the Lease says (`duration`, longer than `deadline`)
 *
 * Both count on their own steady clock; the times written into the Lease are for people only. Each write names the
 * resourceVersion that it changes, so of two who try at once one succeeds.
 *
 * A follower counts from the look before the one that showed the change: the change may have come at any time between. That is at most
 * `LOOK_BACK` looks too early, which the span between `deadline` and `duration` allows for, and a leader that died is replaced within
 * `duration` of its last renewal.
 */
import { type Clock, pause } from '../clock.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import { leaseBody, leaseSpec, parseLease, type SeenLease } from './lease-object.ts';

export interface LeaseTimes {
  /** Milliseconds, as below. How long others leave it to its holder; whole seconds. */
  readonly duration: number;
  /** How long a holder believes in a renewal. */
  readonly deadline: number;
  /** Between two looks or renewals; up to a fifth is added at random. */
  readonly retry: number;
}

export const LEASE_TIMES: LeaseTimes = { duration: 15_000, deadline: 10_000, retry: 2_000 };
const JITTER = 0.2;
const LOOK_BACK = 1 + JITTER;

export interface LeaseOptions {
  /** With connections of its own: what hangs elsewhere must not keep a renewal waiting. */
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** No other process's, and not this one's before a restart. */
  readonly identity: string;
  /** Steady: never set, goes on while the machine sleeps. */
  readonly clock: Clock;
  /** Milliseconds since the epoch, for what people read. */
  readonly wall: () => number;
  readonly random: () => number;
  readonly times?: LeaseTimes;
  /** What keeps us from looking or renewing; undefined: nothing any longer. */
  readonly onTrouble?: (error: KubeError | undefined) => void;
}

export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  #seen: (SeenLease & { readonly since: number }) | undefined;
  /** When the last look was answered. */
  #lookedAt: number | undefined;
  /** Whether `#seen` may be out of date: a write of ours went wrong, or may have gone well unheard. */
  #doubtful = true;
  #leadsUntil = Number.NEGATIVE_INFINITY;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
    const { duration, deadline, retry } = this.#times;
    if (duration - retry * LOOK_BACK <= deadline)
      throw new RangeError(`a lease of ${duration} ms is too short for a deadline of ${deadline} ms`);
  }

  /** To be asked before every write. */
  get leading(): boolean {
    return this.#options.clock.now() < this.#leadsUntil;
  }

  /** Who holds it, as last seen. */
  get holder(): string | undefined {
    return this.#seen?.holder;
  }

  /**
   * Calls `lead` each time that this process has become the leader, with a signal that aborts when it no longer is; the next election waits
   * until that call ended. Resolves when the signal aborted, after the Lease was given back. @throws what `lead` throws
   */
  async run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt(signal);
      if (!this.leading) await pause(this.#options.clock, this.#untilNextLook(), signal);
      else if (!signal.aborted) await this.#hold(lead, signal);
    }
    await this.#release();
  }

  async #hold(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = AbortSignal.any([signal, over.signal]);
    const leading = lead(end).finally(() => over.abort());
    leading.catch(() => {});
    await this.#renew(end);
    over.abort();
    try {
      await leading;
    } finally {
      await this.#release();
    }
  }

  async #renew(end: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!end.aborted) {
      await pause(clock, Math.min(this.#jittered(), this.#leadsUntil - clock.now()), end);
      if (end.aborted) return;
      if (this.leading) await this.#attempt(end);
      if (!this.leading) return;
    }
  }

  /** One look, or one write. Never throws. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const { clock, onTrouble } = this.#options;
    const limit = new AbortController();
    const left = this.leading ? this.#leadsUntil - clock.now() : this.#times.deadline;
    const callOff = clock.after(Math.min(left, this.#times.deadline / 3), () => limit.abort(new Late()));
    const abort = () => limit.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#take(limit.signal);
      onTrouble?.(undefined);
    } catch (error) {
      this.#doubtful = true;
      if (signal.aborted) return;
      const found = asKubeError(error);
      // Somebody deleted it, or it is another's: whoever comes next may have it already.
      if (found.code === 'NOT_FOUND') this.#leadsUntil = Number.NEGATIVE_INFINITY;
      if (found.code !== 'CONFLICT') onTrouble?.(found);
    } finally {
      callOff();
      signal.removeEventListener('abort', abort);
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { client, clock, identity, wall } = this.#options;
    if (this.#doubtful || !this.leading) await this.#look(signal);
    const mine = this.#seen?.holder === identity;
    if (!mine) this.#leadsUntil = Number.NEGATIVE_INFINITY;
    if (!mine && this.#untilFree() > 0) return;
    const sentAt = clock.now();
    const spec = leaseSpec({ identity, duration: this.#times.duration, now: wall(), before: this.#seen });
    const answer =
      this.#seen?.version === undefined
        ? await client.create(this.#collection, leaseBody(this.#options, spec), { signal })
        : await client.merge(
            this.#path,
            { metadata: { resourceVersion: this.#seen.version }, spec },
            { signal },
          );
    this.#see(parseLease(answer));
    this.#doubtful = false;
    this.#leadsUntil = sentAt + this.#times.deadline;
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      this.#see(parseLease(await this.#options.client.get(this.#path, { signal })));
    } catch (error) {
      if (!(error instanceof KubeError && error.code === 'NOT_FOUND')) throw error;
      // Who held what was deleted may still believe in it: its time runs on.
      if (this.#seen !== undefined) this.#seen = { ...this.#seen, version: undefined };
    }
    this.#lookedAt = this.#options.clock.now();
    this.#doubtful = false;
  }

  #see(lease: SeenLease): void {
    if (this.#seen?.version === lease.version) return;
    const now = this.#options.clock.now();
    const earliest = now - this.#times.retry * LOOK_BACK;
    const since = this.#lookedAt === undefined ? now : Math.max(this.#lookedAt, earliest);
    this.#seen = { ...lease, since };
  }

  /** Milliseconds until the Lease may be taken from whom we saw to hold it; 0: now. */
  #untilFree(): number {
    if (this.#seen === undefined || this.#seen.holder === '') return 0;
    const duration = this.#seen.duration ?? this.#times.duration;
    return Math.max(0, this.#seen.since + duration - this.#options.clock.now());
  }

  #untilNextLook(): number {
    const free = this.#untilFree();
    return free === 0 ? this.#jittered() : Math.min(free, this.#jittered());
  }

  #jittered(): number {
    return this.#times.retry * (1 + this.#options.random() * JITTER);
  }

  /** Gives it back, so that the next one need not wait. */
  async #release(): Promise<void> {
    const held = this.leading ? this.#seen : undefined;
    this.#leadsUntil = Number.NEGATIVE_INFINITY;
    this.#doubtful = true;
    if (held?.version === undefined || held.holder !== this.#options.identity) return;
    const limit = new AbortController();
    const callOff = this.#options.clock.after(this.#times.retry, () => limit.abort(new Late()));
    const spec = { holderIdentity: '', leaseDurationSeconds: 1 };
    try {
      const patch = { metadata: { resourceVersion: held.version }, spec };
      await this.#options.client.merge(this.#path, patch, { signal: limit.signal });
    } catch {
      // It ends by itself.
    } finally {
      callOff();
    }
  }

  get #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  get #path(): string {
    return `${this.#collection}/${this.#options.name}`;
  }
}

class Late extends Error {
  override readonly message = 'no answer in time';
}

function asKubeError(error: unknown): KubeError {
  if (error instanceof KubeError) return error;
  return new KubeError('API_UNREACHABLE', `the Lease: ${error instanceof Error ? error.message : error}`, {
    cause: error,
  });
}

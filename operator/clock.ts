/** Time as it is passed in, so that tests can turn it. */
import { uptime } from 'node:os';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once, after `ms` milliseconds; the function it returns calls that off. Never keeps the process alive by itself. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Counts from the start of the machine, also while it sleeps (CLOCK_BOOTTIME), and nobody sets it. */
export const steadyClock: Clock = { now: () => uptime() * 1000, after: systemClock.after };

/** Milliseconds of `span` that are left at `now` since it began. None when the clock was set back behind its beginning: nobody knows then. */
export function remaining(since: number, span: number, now: number): number {
  return now < since ? 0 : Math.max(0, since + span - now);
}

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = () => {
      callOff();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const callOff = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

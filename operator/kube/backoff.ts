/** How long to wait before the next try: doubling, with jitter, so that five thousand agents do not come back as one. */

export interface Backoff {
  /** Milliseconds to wait now; the next answer is about twice as long. */
  next(): number;
  /** It went well: begin anew. */
  reset(): void;
}

export interface BackoffOptions {
  /** Milliseconds. */
  readonly first: number;
  readonly longest: number;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/** The n-th wait lies between half and all of `first * 2^n`. */
export function createBackoff({ first, longest, random }: BackoffOptions): Backoff {
  let failures = 0;
  return {
    next() {
      const whole = Math.min(longest, first * 2 ** failures);
      if (whole < longest) failures += 1;
      return Math.round(whole * (0.5 + random() / 2));
    },
    reset() {
      failures = 0;
    },
  };
}

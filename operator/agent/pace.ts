/** When to look again. Each number is a promise to somebody. */

/** Milliseconds between two turns at rest: peers that somebody else changed, of which the kernel tells nobody, are back within this. */
export const REST = 10_000;
/** Milliseconds between the first looks for a handshake. */
const SHORTEST_LOOK = 100;

/** Looking takes at most a tenth of the time. */
const SHARE = 10;
const LONGEST_FOR_COST = 1_000;

/**
 * Milliseconds until the next look at peers that wait: at first often, then as rarely as we rest; and where there are thousands
 * of peers, or little CPU, less often.
 */
export function lookIn(sinceProgress: number, costOfLook: number): number {
  const affordable = Math.min(LONGEST_FOR_COST, costOfLook * SHARE);
  return Math.min(REST, Math.max(SHORTEST_LOOK, sinceProgress / 5, affordable));
}

/** Turns that others' records ask for take at most a fifth of the time: in a rotation of thousands they ask fifty times a second. */
const TURN_SHARE = 4;

/** Milliseconds until the next of them; none where the last one is long ago, as when a single node joins. */
export function turnIn(sinceTurn: number, costOfTurn: number): number {
  return Math.max(0, Math.min(LONGEST_FOR_COST, costOfTurn * TURN_SHARE) - sinceTurn);
}

/** When a peer last came further. */
export class Progress {
  #at = 0;

  made(now: number): void {
    this.#at = now;
  }

  /** Milliseconds. A clock that was set back behind it begins the span anew: looks get rarer all the same. */
  since(now: number): number {
    if (now < this.#at) this.#at = now;
    return now - this.#at;
  }
}

/** Milliseconds from a change of what we know until it is on disk. */
export const SAVE_AFTER = 5_000;
/** Milliseconds between two marks on disk that say: still true. */
export const TOUCH_EVERY = 60_000;
/** Milliseconds between two readings of our whole Node that its own heartbeats ask for. */
export const OWN_NODE_PACE = 30_000;
/** Milliseconds between two readings that nobody asks for. */
export const OWN_NODE_REST = 600_000;
/** Milliseconds that the API server has to tell us more than the disk does, at start. */
export const DISK_AFTER = 3_000;

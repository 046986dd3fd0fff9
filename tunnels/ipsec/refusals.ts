/** Counts what charon refused, and says it: the first of a kind at once, what is repeated once a minute. */
import type { IkeRefusal, IkeRefusalCode, RefusalCount } from '../dataplane.ts';

/** Milliseconds between two reports of the same. */
const PAUSE = 60_000;
/** Kinds that are told apart at a time: addresses are anybody's to make up. */
const MOST = 1000;

export interface RefusalsOptions {
  /** Milliseconds since any moment, never set. */
  readonly steady: () => number;
  /** @param times how often since it was last said of the same address, identity and reason */
  readonly onRefusal: (refusal: IkeRefusal, times: number) => void;
}

interface Kind {
  readonly saidAt: number;
  unsaid: number;
}

export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #counts = new Map<IkeRefusalCode, number>();
  readonly #kinds = new Map<string, Kind>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** Sorted by code. */
  get counts(): readonly RefusalCount[] {
    return [...this.#counts]
      .map(([code, times]) => ({ code, times }))
      .sort((a, b) => (a.code < b.code ? -1 : 1));
  }

  add(refusal: IkeRefusal): void {
    const { code, node, publicKey, address } = refusal;
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const now = this.#options.steady();
    // Without the port, which is another each time.
    const name = [code, node, publicKey, address?.replace(/\[\d+\]$/, '')].join(' ');
    const kind = this.#kinds.get(name);
    if (kind !== undefined && now - kind.saidAt < PAUSE) {
      kind.unsaid++;
      return;
    }
    if (kind === undefined && this.#kinds.size >= MOST) this.#forget(now);
    if (kind === undefined && this.#kinds.size >= MOST) return;
    this.#kinds.set(name, { saidAt: now, unsaid: 0 });
    this.#options.onRefusal(refusal, (kind?.unsaid ?? 0) + 1);
  }

  #forget(now: number): void {
    for (const [name, { saidAt }] of this.#kinds) if (now - saidAt >= PAUSE) this.#kinds.delete(name);
  }
}

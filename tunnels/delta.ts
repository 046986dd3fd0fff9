/**
 * What is wanted and what the kernel has, by the kernel's own key, and the difference between the two.
 *
 *   wanted, not there  ─┐
 *   wanted, otherwise  ─┴▶ updates()      there, not wanted ──▶ removals()      wanted and so ──▶ nothing
 *
 * Invariant: `#unequal` holds exactly the keys whose wanted and actual value differ, so asking for the difference costs as much
 * as the difference, not as much as the mesh. `#actual` only ever holds what was read or acknowledged, never what was hoped.
 */
export class Delta<W, A> {
  readonly #wanted = new Map<string, W>();
  #actual = new Map<string, A>();
  readonly #unequal = new Set<string>();
  /** Keys that were as wanted, or rightly absent, until another hand changed them. */
  readonly #disturbed = new Set<string>();
  readonly #equal: (wanted: W, actual: A) => boolean;
  #read = false;

  constructor(equal: (wanted: W, actual: A) => boolean) {
    this.#equal = equal;
  }

  get size(): number {
    return this.#actual.size;
  }

  get isRead(): boolean {
    return this.#read;
  }

  want(key: string, wanted: W): void {
    this.#wanted.set(key, wanted);
    this.#disturbed.delete(key);
    this.#compare(key);
  }

  unwant(key: string): void {
    this.#wanted.delete(key);
    this.#disturbed.delete(key);
    this.#compare(key);
  }

  wanted(key: string): W | undefined {
    return this.#wanted.get(key);
  }

  wantedKeys(): IterableIterator<string> {
    return this.#wanted.keys();
  }

  actual(key: string): A | undefined {
    return this.#actual.get(key);
  }

  actualEntries(): IterableIterator<[string, A]> {
    return this.#actual.entries();
  }

  /** We wrote it, and the kernel acknowledged. */
  wrote(key: string, actual: A): void {
    this.#actual.set(key, actual);
    this.#disturbed.delete(key);
    this.#compare(key);
  }

  /** We removed it, or found that it was gone already. */
  removed(key: string): void {
    this.#actual.delete(key);
    this.#disturbed.delete(key);
    this.#compare(key);
  }

  /** All that the kernel has, read just now. What differs from what we knew was another's hand, but for the first time. */
  read(actual: Map<string, A>): void {
    if (this.#read && sameEntries(this.#actual, actual)) return;
    const before = new Set(this.#unequal);
    const known = this.#actual;
    this.#actual = actual;
    this.#unequal.clear();
    for (const key of this.#wanted.keys()) this.#compare(key);
    for (const key of actual.keys()) if (!this.#wanted.has(key)) this.#unequal.add(key);
    if (this.#read) {
      for (const key of this.#unequal) {
        if (!before.has(key) && (this.#wanted.has(key) || !known.has(key))) this.#disturbed.add(key);
      }
    }
    this.#read = true;
  }

  updates(): Difference<W, A>[] {
    const found: Difference<W, A>[] = [];
    for (const key of this.#unequal) {
      const wanted = this.#wanted.get(key);
      if (wanted === undefined) continue;
      found.push({ key, wanted, actual: this.#actual.get(key), repaired: this.#disturbed.has(key) });
    }
    return found;
  }

  removals(): Omit<Difference<W, A>, 'wanted'>[] {
    const found: Omit<Difference<W, A>, 'wanted'>[] = [];
    for (const key of this.#unequal) {
      if (this.#wanted.has(key)) continue;
      found.push({ key, actual: this.#actual.get(key), repaired: this.#disturbed.has(key) });
    }
    return found;
  }

  #compare(key: string): void {
    const wanted = this.#wanted.get(key);
    const actual = this.#actual.get(key);
    const equal =
      wanted === undefined ? actual === undefined : actual !== undefined && this.#equal(wanted, actual);
    if (equal) this.#unequal.delete(key);
    else this.#unequal.add(key);
  }
}

/** The very same values: a caller that hands back what it knows, where that is still so, spares the comparison. */
function sameEntries<A>(a: ReadonlyMap<string, A>, b: ReadonlyMap<string, A>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of b) if (a.get(key) !== value) return false;
  return true;
}

export interface Difference<W, A> {
  readonly key: string;
  readonly wanted: W;
  readonly actual: A | undefined;
  readonly repaired: boolean;
}

/**
 * Items of two lists that are not the same object in both: what a plan changed since the one before, when unchanged items are
 * shared. It may name more than that (an item that moved far), never less, and costs one comparison an item.
 */
export function changedItems<T>(before: readonly T[], after: readonly T[]): { gone: T[]; come: T[] } {
  const gone: T[] = [];
  const come: T[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      i++;
      j++;
      continue;
    }
    const step = resume(before, after, { i, j });
    if (step === undefined) break;
    for (; i < step.i; i++) push(gone, before[i]);
    for (; j < step.j; j++) push(come, after[j]);
  }
  for (; i < before.length; i++) push(gone, before[i]);
  for (; j < after.length; j++) push(come, after[j]);
  return { gone, come };
}

/** How far the two lists are searched for where they meet again. */
const WINDOW = 32;

/** The nearest point after `at` where both lists hold the same object again. */
function resume<T>(before: readonly T[], after: readonly T[], at: { i: number; j: number }) {
  for (let distance = 1; distance <= WINDOW; distance++) {
    for (let skipped = 0; skipped <= distance; skipped++) {
      const i = at.i + skipped;
      const j = at.j + distance - skipped;
      if (i < before.length && j < after.length && before[i] === after[j]) return { i, j };
    }
  }
  // Of a block that was replaced in place, the rest of the lists may still go side by side.
  const i = at.i + 1;
  const j = at.j + 1;
  return i < before.length && j < after.length ? { i, j } : undefined;
}

function push<T>(list: T[], item: T | undefined): void {
  if (item !== undefined) list.push(item);
}

/**
 * All claims of a mesh, in order, kept from plan to plan: one Node that comes or goes costs a search, not a sort. What it answers
 * is the same as if it had been built from the records of today.
 */
import type { PublicKey } from '../keys/generation.ts';
import { type Claim, type Contentions, contentions, NO_CONTENTIONS } from './claims.ts';
import { compareRanges, contains } from './range.ts';
import type { NodeRecord } from './types.ts';

const FEW = 64;

export class ClaimIndex {
  readonly #claimsOf: (record: NodeRecord) => readonly Claim[];
  readonly #few: number;
  #records: ReadonlySet<NodeRecord> = new Set();
  /** By `compareRanges`. */
  #claims: Claim[] = [];
  #contentions = NO_CONTENTIONS;
  /** No two claims share an address: then its neighbours alone tell whether a new one contends. */
  #disjoint = true;
  /** Keys that one Node publishes. */
  readonly #holders = new Map<PublicKey, NodeRecord>();
  /** Keys that two or more do. */
  readonly #disputes = new Map<PublicKey, readonly NodeRecord[]>();

  /**
   * @param claimsOf the claims that count; always the same for the same record
   * @param few more changed records than these are sorted and swept anew
   */
  constructor(claimsOf: (record: NodeRecord) => readonly Claim[], few = FEW) {
    this.#claimsOf = claimsOf;
    this.#few = few;
  }

  get size(): number {
    return this.#records.size;
  }

  has(record: NodeRecord): boolean {
    return this.#records.has(record);
  }

  get contentions(): Contentions {
    return this.#contentions;
  }

  /** Keys that several Nodes publish, each with those Nodes. */
  get disputes(): ReadonlyMap<PublicKey, readonly NodeRecord[]> {
    return this.#disputes;
  }

  update(records: readonly NodeRecord[]): void {
    const added = records.filter((record) => !this.#records.has(record));
    if (added.length === 0 && records.length === this.#records.size) return;
    const now = new Set(records);
    const removed = [...this.#records].filter((record) => !now.has(record));
    this.#records = now;
    for (const record of removed) this.#forgetKeys(record);
    for (const record of added) this.#learnKeys(record);
    if (this.#disjoint && added.length + removed.length <= this.#few) this.#edit(added, removed);
    else this.#rebuild(records);
  }

  #edit(added: readonly NodeRecord[], removed: readonly NodeRecord[]): void {
    for (const record of removed)
      for (const claim of this.#claimsOf(record))
        this.#claims.splice(this.#claims.indexOf(claim, this.#search(claim)), 1);
    for (const record of added) for (const claim of this.#claimsOf(record)) this.#insert(claim);
    if (!this.#disjoint) this.#sweep();
  }

  #insert(claim: Claim): void {
    const at = this.#search(claim);
    const [before, after] = [this.#claims[at - 1], this.#claims[at]];
    const apart =
      (before === undefined || !contains(before, claim)) && (after === undefined || !contains(claim, after));
    this.#disjoint &&= apart;
    this.#claims.splice(at, 0, claim);
  }

  /** Where the first claim stands that is not before `claim`. */
  #search(claim: Claim): number {
    let [low, high] = [0, this.#claims.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#claims[middle];
      if (found !== undefined && compareRanges(found, claim) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #rebuild(records: readonly NodeRecord[]): void {
    this.#claims = [];
    for (const record of records) for (const claim of this.#claimsOf(record)) this.#claims.push(claim);
    this.#claims.sort(compareRanges);
    this.#sweep();
  }

  #sweep(): void {
    const found = contentions(this.#claims);
    this.#contentions = found;
    this.#disjoint = found.disjoint;
  }

  #learnKeys(record: NodeRecord): void {
    for (const { publicKey } of record.generations) {
      const holders = this.#holdersOf(publicKey);
      if (!holders.includes(record)) this.#setHolders(publicKey, [...holders, record]);
    }
  }

  #forgetKeys(record: NodeRecord): void {
    for (const { publicKey } of record.generations)
      this.#setHolders(
        publicKey,
        this.#holdersOf(publicKey).filter((other) => other !== record),
      );
  }

  #holdersOf(key: PublicKey): readonly NodeRecord[] {
    const only = this.#holders.get(key);
    return only === undefined ? (this.#disputes.get(key) ?? []) : [only];
  }

  #setHolders(key: PublicKey, holders: readonly NodeRecord[]): void {
    const [only, ...others] = holders;
    if (only !== undefined && others.length === 0) this.#holders.set(key, only);
    else this.#holders.delete(key);
    if (others.length > 0) this.#disputes.set(key, holders);
    else this.#disputes.delete(key);
  }
}

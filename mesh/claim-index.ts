/**
 * All claims of a mesh, in order, kept from plan to plan: one Node that comes or goes costs a search, not a sort. What it answers
 * is the same as if it had been built from the records of today.
 */
import type { PublicKey } from '../keys/generation.ts';
import { type Claim, type Contentions, contentions, NO_CONTENTIONS } from './claims.ts';
import { compareRanges, contains } from './range.ts';
import type { NodeRecord } from './types.ts';

const FEW = 64;

/** What is kept of a record. */
export interface Claimant {
  readonly record: NodeRecord;
  /** The claims that count, sorted by `compareRanges`. */
  readonly claims: readonly Claim[];
  /** The update that saw the record last: the index's own. */
  seen: number;
}

export class ClaimIndex<Entry extends Claimant> {
  readonly #remember: (record: NodeRecord) => Entry;
  readonly #few: number;
  /** Of the records of the last update. Not a WeakMap: thousands of weak keys make every collection slow. */
  readonly #entries = new Map<NodeRecord, Entry>();
  #updates = 0;
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
   * @param remember called once for a record, until it goes
   * @param few more changed records than these are sorted and swept anew
   */
  constructor(remember: (record: NodeRecord) => Entry, few = FEW) {
    this.#remember = remember;
    this.#few = few;
  }

  get contentions(): Contentions {
    return this.#contentions;
  }

  /** Keys that several Nodes publish, each with those Nodes. */
  get disputes(): ReadonlyMap<PublicKey, readonly NodeRecord[]> {
    return this.#disputes;
  }

  /** The entries of these records, in their order. All others are forgotten. */
  update(records: readonly NodeRecord[]): readonly Entry[] {
    this.#updates += 1;
    const added: Entry[] = [];
    const entries = records.map((record) => {
      const entry = this.#entries.get(record) ?? this.#add(record, added);
      entry.seen = this.#updates;
      return entry;
    });
    const removed = this.#entries.size === records.length ? [] : this.#removeUnseen();
    if (added.length + removed.length === 0) return entries;
    for (const { record } of removed) this.#forgetKeys(record);
    for (const { record } of added) this.#learnKeys(record);
    if (this.#disjoint && added.length + removed.length <= this.#few) this.#edit(added, removed);
    else this.#rebuild();
    return entries;
  }

  #add(record: NodeRecord, added: Entry[]): Entry {
    const entry = this.#remember(record);
    this.#entries.set(record, entry);
    added.push(entry);
    return entry;
  }

  #removeUnseen(): readonly Entry[] {
    const removed = [...this.#entries.values()].filter(({ seen }) => seen !== this.#updates);
    for (const { record } of removed) this.#entries.delete(record);
    return removed;
  }

  #edit(added: readonly Entry[], removed: readonly Entry[]): void {
    for (const { claims } of removed)
      for (const claim of claims) this.#claims.splice(this.#claims.indexOf(claim, this.#search(claim)), 1);
    for (const { claims } of added) for (const claim of claims) this.#insert(claim);
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

  /** First all first claims, then all second ones: where names go with addresses, those are in order, and the sort merges them. */
  #rebuild(): void {
    const columns: Claim[][] = [];
    for (const { claims } of this.#entries.values())
      for (const [at, claim] of claims.entries()) {
        const column = columns[at];
        if (column === undefined) columns.push([claim]);
        else column.push(claim);
      }
    this.#claims = columns.flat().sort(compareRanges);
    this.#sweep();
  }

  #sweep(): void {
    const found = contentions(this.#claims);
    this.#contentions = found;
    this.#disjoint = found.disjoint;
  }

  #learnKeys(record: NodeRecord): void {
    for (const { publicKey } of record.generations) {
      if (!this.#holders.has(publicKey) && !this.#disputes.has(publicKey)) {
        this.#holders.set(publicKey, record);
        continue;
      }
      const holders = this.#holdersOf(publicKey);
      if (!holders.includes(record)) this.#setHolders(publicKey, [...holders, record]);
    }
  }

  #forgetKeys(record: NodeRecord): void {
    for (const { publicKey } of record.generations) {
      if (this.#holders.get(publicKey) === record) this.#holders.delete(publicKey);
      else
        this.#setHolders(
          publicKey,
          this.#holdersOf(publicKey).filter((other) => other !== record),
        );
    }
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

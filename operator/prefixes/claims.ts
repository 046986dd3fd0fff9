/**
 * Which of its pods' addresses a node claims, and when. Every change is a write that all nodes hear of, so changes are gathered.
 *
 * When an address moves, its old node goes first: its pod has ended there, so nobody misses the claim. The new node leaves an address out
 * while another Node's record holds it, but no longer than `PATIENCE`: that Node may be dead. Then both claim it, and what the API server
 * says of the pods decides (`Evidence`). So there is neither a double claim nor, where the old node lives, a wait.
 */
import { rangeOfAddress } from '../../mesh/address.ts';
import { contains, type Range, rangeOf } from '../../mesh/prefix.ts';
import type { Address, Prefix } from '../../mesh/types.ts';
import { remaining } from '../clock.ts';

/** Milliseconds from the first of some changes until they are claimed. */
const GATHER = 1_000;
/** Milliseconds that an address waits for the Node that claims it already. */
const PATIENCE = 10_000;
/** Milliseconds between two claims of one node: at least, and at most. */
const PACE = { least: 5_000, most: 30_000 };
/** Writes a second in the whole cluster, when every node's pods come and go at once. */
const WRITES = 50;

export interface ClaimsInput {
  /** Of the pods that are there now. */
  readonly live: ReadonlySet<Address>;
  /** Whether another Node's record holds it. */
  readonly isHeld: (address: Address) => boolean;
  /** How many Nodes there are. */
  readonly nodes: number;
  readonly now: number;
}

export interface Claims {
  /** The same set until the claim changes. */
  readonly claimed: ReadonlySet<Address>;
  /** When to ask again at the latest, in milliseconds since the epoch. */
  readonly nextAt?: number;
}

export class PodClaims {
  readonly #former: readonly Range[];
  /** Undefined: nothing was claimed yet. */
  #claimed: ReadonlySet<Address> | undefined;
  #claimedAt = Number.NEGATIVE_INFINITY;
  /** Since when there is something to change. */
  #changedAt: number | undefined;
  /** Since when each address waits for another Node. */
  readonly #waiting = new Map<Address, number>();

  /** @param former What the last agent claimed: nothing of that waits again. */
  constructor(former: readonly Prefix[] = []) {
    this.#former = former.map(rangeOf);
  }

  update(input: ClaimsInput): Claims {
    const { now } = input;
    const wanted = this.#wanted(input);
    if (this.#claimed !== undefined && same(wanted, this.#claimed)) {
      this.#changedAt = undefined;
      return this.#answer(this.#claimed, input, undefined);
    }
    this.#changedAt ??= now;
    const due = Math.max(
      remaining(this.#changedAt, GATHER, now),
      remaining(this.#claimedAt, pace(input.nodes), now),
    );
    // The first claim of all waits for nothing: the pods are there already.
    if (this.#claimed !== undefined && due > 0) return this.#answer(this.#claimed, input, now + due);
    this.#claimed = wanted;
    this.#claimedAt = now;
    this.#changedAt = undefined;
    return this.#answer(wanted, input, undefined);
  }

  #wanted({ live, isHeld, now }: ClaimsInput): ReadonlySet<Address> {
    const wanted = new Set<Address>();
    for (const address of live) {
      if (this.#isOurs(address) || !isHeld(address)) this.#waiting.delete(address);
      else if (!this.#waiting.has(address)) this.#waiting.set(address, now);
      const since = this.#waiting.get(address);
      if (since === undefined || remaining(since, PATIENCE, now) === 0) wanted.add(address);
    }
    for (const address of this.#waiting.keys()) if (!live.has(address)) this.#waiting.delete(address);
    return wanted;
  }

  #isOurs(address: Address): boolean {
    if (this.#claimed !== undefined) return this.#claimed.has(address);
    const range = rangeOfAddress(address);
    return this.#former.some((former) => contains(former, range));
  }

  #answer(claimed: ReadonlySet<Address>, { now }: ClaimsInput, due: number | undefined): Claims {
    const times = [...this.#waiting.values()].map((since) => since + PATIENCE).filter((at) => at > now);
    if (due !== undefined) times.push(due);
    return times.length === 0 ? { claimed } : { claimed, nextAt: Math.min(...times) };
  }
}

function pace(nodes: number): number {
  return Math.min(PACE.most, Math.max(PACE.least, (nodes / WRITES) * 1000));
}

function same(a: ReadonlySet<Address>, b: ReadonlySet<Address>): boolean {
  return a.size === b.size && [...a].every((address) => b.has(address));
}

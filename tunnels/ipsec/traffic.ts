/** Bytes a link carried, over all the states that it had: each begins at nothing when a child is rekeyed. */
import type { State } from './xfrm/types.ts';

export interface Carried {
  readonly received: number;
  readonly sent: number;
  /** States that are there now, the youngest of each direction. */
  readonly inbound: State | undefined;
  readonly outbound: State | undefined;
}

interface Count {
  readonly reqid: number;
  readonly outbound: boolean;
  readonly bytes: number;
}

export class Traffic {
  /** Of states that are gone, by request id. */
  readonly #gone = new Map<number, { received: number; sent: number }>();
  #last = new Map<string, Count>();

  /** @param locals our own outer addresses: what comes from one of them is sent by us. */
  take(states: readonly State[], locals: ReadonlySet<string>): Map<number, Carried> {
    const counts = new Map<string, Count>();
    const carried = new Map<number, Carried>();
    for (const state of states) {
      const { reqid, bytes, spi, destination } = state;
      const outbound = locals.has(state.source) && !locals.has(destination);
      counts.set(`${spi} ${destination}`, { reqid, outbound, bytes });
      carried.set(reqid, add(carried.get(reqid), state, outbound));
    }
    for (const [key, count] of this.#last) if (!counts.has(key)) this.#keep(count);
    this.#last = counts;
    for (const [reqid, { received, sent }] of this.#gone) {
      const now = carried.get(reqid) ?? NOTHING;
      carried.set(reqid, { ...now, received: now.received + received, sent: now.sent + sent });
    }
    return carried;
  }

  #keep({ reqid, outbound, bytes }: Count): void {
    const before = this.#gone.get(reqid) ?? { received: 0, sent: 0 };
    if (outbound) before.sent += bytes;
    else before.received += bytes;
    this.#gone.set(reqid, before);
  }
}

const NOTHING: Carried = { received: 0, sent: 0, inbound: undefined, outbound: undefined };

function add(before: Carried = NOTHING, state: State, outbound: boolean): Carried {
  return outbound
    ? { ...before, sent: before.sent + state.bytes, outbound: younger(before.outbound, state) }
    : { ...before, received: before.received + state.bytes, inbound: younger(before.inbound, state) };
}

const younger = (a: State | undefined, b: State): State =>
  a === undefined || b.installedAt >= a.installedAt ? b : a;

function joined(a: Carried, b: Carried): Carried {
  return {
    received: a.received + b.received,
    sent: a.sent + b.sent,
    inbound: b.inbound === undefined ? a.inbound : younger(a.inbound, b.inbound),
    outbound: b.outbound === undefined ? a.outbound : younger(a.outbound, b.outbound),
  };
}

/** Of both slots of a link. */
export function together(parts: readonly (Carried | undefined)[]): Carried {
  return parts.reduce<Carried>((sum, part) => (part === undefined ? sum : joined(sum, part)), NOTHING);
}

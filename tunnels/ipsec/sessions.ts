/**
 * What is known of sessions: learned when charon is asked for another reason, and true as long as their states are there. So whoever looks
 * at the states need not ask charon.
 */
import type { SecurityAssociation } from '../../mesh/types.ts';
import type { ChildSa, IkeSa } from './security.ts';
import type { State } from './xfrm/types.ts';

/** Milliseconds. */
const ROUNDING = 2000;

export class Sessions {
  readonly #now: () => number;
  #known: ReadonlyMap<string, SecurityAssociation> = new Map();

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param all whether these are all that there are: then of others nothing is known any more */
  learn(sas: readonly IkeSa[], { all }: { readonly all: boolean } = { all: true }): void {
    const known = new Map(all ? [] : this.#known);
    for (const sa of sas) {
      for (const child of sa.children) {
        const { spiIn, spiOut } = child;
        if (spiIn === undefined || spiOut === undefined) continue;
        const key = keyOf(child.reqid, spiOut);
        const before = this.#known.get(key);
        const now = this.#read(sa, child, { spiIn, spiOut });
        if (now !== undefined) known.set(key, before !== undefined && isSame(before, now) ? before : now);
      }
    }
    this.#known = known;
  }

  /** @param lifetime seconds until we replace it; undefined: only charon's own term is known */
  of({ reqid, spi }: State, lifetime: number | undefined): SecurityAssociation | undefined {
    const known = this.#known.get(keyOf(reqid, spi));
    if (known === undefined || lifetime === undefined) return known;
    return { ...known, rekeyAt: Math.min(known.rekeyAt, known.childInstalledAt + lifetime * 1000) };
  }

  #read(
    { established, algorithms }: IkeSa,
    child: ChildSa,
    spis: Pick<SecurityAssociation, 'spiIn' | 'spiOut'>,
  ): SecurityAssociation | undefined {
    const { installed, rekeyIn } = child;
    if (established === undefined || installed === undefined) return undefined;
    const now = Math.floor(this.#now() / 1000);
    return {
      ikeEstablishedAt: (now - established) * 1000,
      childInstalledAt: (now - installed) * 1000,
      rekeyAt: rekeyIn === undefined ? Number.MAX_SAFE_INTEGER : (now + rekeyIn) * 1000,
      ikeProposal: algorithms,
      espProposal: child.algorithms,
      ...spis,
      nat: child.encapsulated,
    };
  }
}

/** Ages in whole seconds make the same moment another one each time. */
const isSame = (a: SecurityAssociation, b: SecurityAssociation): boolean =>
  Math.abs(a.ikeEstablishedAt - b.ikeEstablishedAt) <= ROUNDING;

/** Both as our kernel has them: the SPI is the peer's choice, the request id ours. */
const keyOf = (reqid: number, spiOut: number) => `${reqid} ${spiOut}`;

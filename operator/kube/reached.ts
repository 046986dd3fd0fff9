/** Where the API server was reached: no pod lives there, whoever claims it. */

import { parseAddress } from '../../mesh/address.ts';
import { sortedAddresses } from '../../mesh/lists.ts';
import type { Address } from '../../mesh/types.ts';

/** A balancer may have many addresses; of those not seen for long nobody knows whose they are now. */
const MOST = 16;

export class ReachedAddresses {
  /** The latest is the last. */
  readonly #seen = new Set<Address>();
  #sorted: readonly Address[] = [];

  /** The remote end of a connection, as `net.Socket` says it. */
  see(text: string | undefined): void {
    const address = text === undefined ? undefined : parseAddress(text.replace(/^::ffff:/, ''));
    if (address === undefined) return;
    const known = this.#seen.delete(address);
    this.#seen.add(address);
    if (known) return;
    for (const oldest of this.#seen) if (this.#seen.size > MOST) this.#seen.delete(oldest);
    this.#sorted = sortedAddresses([...this.#seen]);
  }

  /** Sorted; the same array until another one is seen. */
  list(): readonly Address[] {
    return this.#sorted;
  }
}

/** Packets that the door stopped, summed over its tables and over those that were before them. */
import type { Dropped } from '../dataplane.ts';
import type { Counted, Nftables } from '../netlink/nftables.ts';
import { COUNTERS } from './door.ts';

export class Counts {
  readonly #nftables: Nftables;
  /** By table, as last read. */
  readonly #tables = new Map<string, Counted>();
  /** Of tables that were removed, by counter. */
  readonly #past = new Map<string, bigint>();

  constructor(nftables: Nftables) {
    this.#nftables = nftables;
  }

  /** What a table that is made again goes on from: what the kernel has now, or had when it was last asked. */
  of(table: string): Counted {
    return this.#tables.get(table) ?? new Map();
  }

  /** @returns packets that this table counted since it was last read. */
  async read(table: string): Promise<bigint> {
    const before = sum(this.of(table));
    const found = await this.#nftables.counters(table);
    if (found.size > 0) this.#tables.set(table, new Map([...this.of(table), ...found]));
    return sum(this.of(table)) - before;
  }

  /** It goes for good, and what it counted is kept here. */
  retire(table: string): void {
    for (const [name, packets] of this.of(table))
      this.#past.set(name, (this.#past.get(name) ?? 0n) + packets);
    this.#tables.delete(table);
  }

  list(): readonly Dropped[] {
    return COUNTERS.map(({ name, direction, family }) => {
      let packets = this.#past.get(name) ?? 0n;
      for (const counted of this.#tables.values()) packets += counted.get(name) ?? 0n;
      return { direction, family, packets: Number(packets) };
    });
  }
}

function sum(counted: Counted): bigint {
  let total = 0n;
  for (const packets of counted.values()) total += packets;
  return total;
}

/** Our tables as the kernel has them, beside what they were when we loaded them: read again only when anybody changed any table. */
import type { FoundTable, Nftables } from '../netlink/nftables.ts';
import type { Table } from './json.ts';
import { type LoadedTables, readLoaded, writeLoaded } from './memory.ts';
import { TABLES } from './ruleset.ts';

export interface KnownTablesOptions {
  readonly nftables: Nftables;
  /** Holds `firewall.json`: what the tables were when we loaded them. */
  readonly stateDir: string;
  /** Milliseconds since any moment. */
  readonly steady: () => number;
  /** Nothing is written: what would be is imagined. */
  readonly dry?: boolean;
}

export class KnownTables {
  readonly #options: KnownTablesOptions;
  /** Undefined: the disk was not asked yet. */
  #loaded: LoadedTables | undefined;
  #found: ReadonlyMap<string, FoundTable> = new Map();
  /** Of the kernel's rules when the tables were read. */
  #generation: number | undefined;
  #undisturbedAt = 0;
  /** Names that were as wanted once: what differs from then on was another's hand. */
  readonly settled = new Set<string>();

  constructor(options: KnownTablesOptions) {
    this.#options = options;
  }

  get found(): ReadonlyMap<string, FoundTable> {
    return this.#found;
  }

  /** Nothing was loaded: there is nothing to look after. */
  get none(): boolean {
    return this.#loaded === undefined || this.#loaded.size === 0;
  }

  /** Names of tables that are not as we loaded them. */
  get disturbed(): readonly string[] {
    return TABLES.filter(
      (name) => this.#loaded?.get(name)?.fingerprint !== this.#found.get(name)?.fingerprint,
    );
  }

  /** When they were last seen to be as we loaded them, in steady milliseconds. */
  get undisturbedAt(): number {
    return this.#undisturbedAt;
  }

  /** Of the rules that a table was loaded from. */
  digest(name: string): string | undefined {
    return this.#loaded?.get(name)?.digest;
  }

  /** @throws NetlinkError */
  async refresh(stale: boolean): Promise<void> {
    const { nftables, stateDir, steady } = this.#options;
    const generation = await nftables.generation();
    if (stale || generation !== this.#generation) {
      const first = this.#loaded === undefined;
      this.#loaded ??= await readLoaded(stateDir);
      this.#found = await this.#read();
      this.#generation = generation;
      if (first) this.#recognize(this.#loaded);
    }
    if (this.disturbed.length === 0) this.#undisturbedAt = steady();
  }

  /** What was there before we were: ours, and untouched where it says the same, whoever loaded it (at boot, `boot.ts`). */
  #recognize(loaded: LoadedTables): void {
    const same = [...this.#found].flatMap(([name, { content, fingerprint }]) => {
      const known = loaded.get(name);
      if (known !== undefined) this.settled.add(name);
      return known?.content === content ? [[name, { ...known, fingerprint }] as const] : [];
    });
    this.#loaded = new Map([...loaded, ...same]);
  }

  /** They were loaded just now. */
  async remember(wanted: readonly Table[], digests: ReadonlyMap<string, string>): Promise<void> {
    const { nftables, stateDir, dry, steady } = this.#options;
    const digest = (name: string) => digests.get(name) ?? '';
    if (dry === true) {
      const imagined = { chains: [], sets: [], asleep: false, fingerprint: 'imagined', content: 'imagined' };
      this.#found = new Map(wanted.map(({ name }) => [name, imagined]));
      this.#loaded = new Map(wanted.map(({ name }) => [name, { ...imagined, digest: digest(name) }]));
      return;
    }
    const generation = await nftables.generation();
    this.#found = await this.#read(wanted);
    this.#generation = generation;
    this.#undisturbedAt = steady();
    this.#loaded = new Map(
      [...this.#found].map(([name, { fingerprint, content, chains }]) => [
        name,
        { digest: digest(name), fingerprint, content, chains },
      ]),
    );
    await writeLoaded(stateDir, this.#loaded);
  }

  async #read(wanted: readonly Table[] = []): Promise<ReadonlyMap<string, FoundTable>> {
    const found = new Map<string, FoundTable>();
    for (const name of TABLES) {
      const chains = wanted.find((table) => table.name === name)?.chains ?? [];
      const before = this.#found.get(name) ?? this.#loaded?.get(name);
      const known = [...chains.map((chain) => chain.name), ...(before?.chains ?? [])];
      const table = await this.#options.nftables.table(name, known);
      if (table !== undefined) found.set(name, table);
    }
    return found;
  }
}

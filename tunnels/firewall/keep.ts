/**
 * The door a third time, in a table that nobody else can touch: nf_tables lets only the socket that made it change or remove it
 * (`flags owner`, Linux 5.12), and `nft flush ruleset` passes it by. It goes with that socket, which nft(8) holds for us, and so with
 * the agent: what stays then are the other two.
 */

import type { Counted } from '../netlink/nftables.ts';
import type { Table } from './json.ts';
import type { NftShell } from './nft-shell.ts';
import { filling } from './transaction.ts';

export class Keep {
  readonly #start: () => NftShell;
  #shell: NftShell | undefined;
  #table: Table | undefined;
  #digest: string | undefined;

  constructor(start: () => NftShell) {
    this.#start = start;
  }

  /** It stands. */
  get holds(): boolean {
    return this.#table !== undefined && this.#shell?.ended === false;
  }

  /** It stood, and somebody ended the program that held it. */
  get lost(): boolean {
    return this.#table !== undefined && !this.holds;
  }

  /**
   * All or nothing: where the rules are refused, nothing of it is left.
   * @param counted what its counters go on from
   * @throws Error with what nft says
   */
  async set(table: Table, digest: string, counted: Counted): Promise<void> {
    if (this.holds && this.#digest === digest) return;
    if (!this.holds) this.close();
    const fresh = this.#shell === undefined;
    this.#shell ??= this.#start();
    const before = this.#table && { chains: namesOf(this.#table.chains), sets: namesOf(this.#table.sets) };
    const complaint = await this.#shell
      .tell([
        // In words: libnftables' JSON of 1.0 knows no flags of a table.
        ...(fresh ? [`add table inet ${table.name} { flags owner; }`] : []),
        JSON.stringify({ nftables: filling(table, before, counted) }),
      ])
      .catch((error: unknown) => String(error));
    if (complaint !== '') {
      this.close();
      throw new Error(complaint);
    }
    this.#table = table;
    this.#digest = digest;
  }

  async remove(): Promise<void> {
    if (this.holds)
      await this.#shell?.tell([`delete table inet ${this.#table?.name}`]).catch(() => undefined);
    this.close();
  }

  /** It goes in its own time, a moment later. */
  close(): void {
    this.#shell?.close();
    this.#shell = undefined;
    this.#table = undefined;
    this.#digest = undefined;
  }
}

const namesOf = (all: readonly { readonly name: string }[]): string[] => all.map(({ name }) => name);

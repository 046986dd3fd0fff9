/** Keeps the table `inet sheath` as the plan wants it: one atomic transaction a change, none when there is nothing to change. */
import { createHash } from 'node:crypto';
import type { MeshPlan } from '../../mesh/types.ts';
import { change, type Outcome, refused } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import { type Nft, SIGNATURE } from './nft.ts';
import { type Command, type Json, ruleset, TABLE } from './ruleset.ts';

/** The table as it is: the digest of the rules it was made from, and their listing once somebody asked for it. */
interface Loaded {
  readonly digest: string;
  listing?: Promise<string>;
}

export class Firewall {
  readonly #kernel: Kernel;
  readonly #nft: Nft;
  #loaded: Loaded | undefined;
  #settled = false;

  constructor(kernel: Kernel, nft: Nft) {
    this.#kernel = kernel;
    this.#nft = nft;
  }

  async set(plan: MeshPlan, outcome: Outcome): Promise<void> {
    const wanted = ruleset(plan);
    if (wanted === undefined) return;
    try {
      await this.#refresh();
      const digest = digestOf(wanted);
      if (this.#loaded?.digest !== digest) await this.#load(wanted, digest, outcome);
      this.#settled = true;
    } catch (cause) {
      this.#kernel.spoil('firewall');
      outcome.failed(refused('firewall', `table ${TABLE.family} ${TABLE.name}`, cause));
    }
  }

  /** Takes the table away when the plan needs none; else looks how nft lists what was loaded, for which nobody has to wait. */
  async prune(plan: MeshPlan, outcome: Outcome): Promise<void> {
    if (ruleset(plan) !== undefined) {
      if (this.#loaded !== undefined) this.#loaded.listing ??= this.#list();
      return;
    }
    try {
      await this.#refresh();
      if (this.#loaded === undefined) return;
      await this.#nft.run([{ delete: { table: TABLE } }]);
      this.#loaded = undefined;
      this.#settled = false;
      outcome.changed(change('firewall', 'remove', { what: `table ${TABLE.family} ${TABLE.name}` }));
    } catch (cause) {
      this.#kernel.spoil('firewall');
      outcome.failed(refused('firewall', `table ${TABLE.family} ${TABLE.name}`, cause));
    }
  }

  /** Whether the table is another than the one we loaded. Costs one run of nft. */
  async tampered(): Promise<boolean> {
    if (this.#loaded === undefined) return false;
    const listed = await this.#nft.list();
    if (listed?.listing === (await this.#loaded.listing)) return false;
    this.#kernel.spoil('firewall');
    return true;
  }

  /** Of a table that cannot be listed: what no table's listing is. */
  #list(): Promise<string> {
    return this.#nft.list().then(
      (listed) => listed?.listing ?? '',
      () => '',
    );
  }

  async #refresh(): Promise<void> {
    if (!this.#kernel.takeStale('firewall')) return;
    const before = await this.#loaded?.listing;
    const listed = await this.#nft.list();
    // The digest says which rules the table was made from; only our own listing, that nobody changed it since.
    const intact = listed !== undefined && (before === undefined || before === listed.listing);
    this.#loaded =
      listed === undefined
        ? undefined
        : { digest: intact ? listed.digest : '', listing: Promise.resolve(listed.listing) };
  }

  async #load(commands: readonly Command[], digest: string, outcome: Outcome): Promise<void> {
    const known = this.#loaded !== undefined;
    await this.#nft.run([
      // Added first so that the deletion, which makes room for the new one, cannot fail.
      { add: { table: TABLE } },
      { delete: { table: TABLE } },
      { add: { table: TABLE } },
      ...signed(commands, digest),
    ]);
    outcome.changed(
      change('firewall', known ? 'change' : 'add', {
        what: `table ${TABLE.family} ${TABLE.name}`,
        repaired: this.#settled,
      }),
    );
    this.#loaded = { digest };
  }
}

/** With the digest as the first rule's comment, where the next run of ours finds it. */
function signed(commands: readonly Command[], digest: string): Command[] {
  const rules = commands.filter((command) => ruleOf(command) !== undefined);
  const first = commands.findIndex((command) => ruleOf(command) !== undefined);
  const comment = `${SIGNATURE}${digest}.${rules.length}`;
  return commands.map((command, i) => {
    const rule = ruleOf(command);
    return i === first && rule !== undefined ? { add: { rule: { ...rule, comment } } } : command;
  });
}

function ruleOf(command: Command): { readonly [key: string]: Json } | undefined {
  const added = command.add;
  if (typeof added !== 'object' || added === null || !('rule' in added)) return undefined;
  const rule = added.rule;
  return typeof rule === 'object' && rule !== null && !Array.isArray(rule)
    ? (rule as { [key: string]: Json })
    : undefined;
}

function digestOf(commands: readonly Command[]): string {
  return createHash('sha256').update(JSON.stringify(commands)).digest('hex').slice(0, 16);
}

/** Keeps the table `inet sheath` as the plan wants it: one atomic transaction a change, none when there is nothing to change. */
import { createHash } from 'node:crypto';
import type { MeshPlan, PeerPlan } from '../../mesh/types.ts';
import { change, type Outcome, refused } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import { type Nft, SIGNATURE } from './nft.ts';
import { type Command, elementCommand, type Json, nodeElements, ruleset, TABLE } from './ruleset.ts';

/** What the table holds: the digest of the rules it was made from, their listing, and the elements of the nodes' sets. */
interface Loaded {
  readonly digest: string;
  readonly listing: string;
  readonly elements: Map<string, ReadonlySet<string>>;
}

export class Firewall {
  readonly #kernel: Kernel;
  readonly #nft: Nft;
  #loaded: Loaded | undefined;
  #peers: readonly PeerPlan[] | undefined;
  #settled = false;

  constructor(kernel: Kernel, nft: Nft) {
    this.#kernel = kernel;
    this.#nft = nft;
  }

  /** The table, and additions to its sets. */
  async set(plan: MeshPlan, outcome: Outcome): Promise<void> {
    const wanted = ruleset(plan);
    if (wanted === undefined) return;
    try {
      await this.#refresh();
      const digest = digestOf(wanted);
      if (this.#loaded?.digest !== digest) await this.#load(plan, wanted, outcome);
      else await this.#elements(plan, 'add', outcome);
    } catch (cause) {
      this.#spoil();
      outcome.failed(refused('firewall', `table ${TABLE.family} ${TABLE.name}`, cause));
    }
  }

  /** What is not wanted any more. */
  async prune(plan: MeshPlan, outcome: Outcome): Promise<void> {
    try {
      if (ruleset(plan) !== undefined) return await this.#elements(plan, 'delete', outcome);
      await this.#refresh();
      if (this.#loaded === undefined) return;
      await this.#nft.run([{ delete: { table: TABLE } }]);
      this.#loaded = undefined;
      this.#settled = false;
      outcome.changed(change('firewall', 'remove', { what: `table ${TABLE.family} ${TABLE.name}` }));
    } catch (cause) {
      this.#spoil();
      outcome.failed(refused('firewall', `table ${TABLE.family} ${TABLE.name}`, cause));
    }
  }

  /** Whether the table is another than the one we loaded. Costs one run of nft. */
  async tampered(): Promise<boolean> {
    if (this.#loaded === undefined) return false;
    const listed = await this.#nft.list();
    if (listed?.listing === this.#loaded.listing && sameElements(listed.elements, this.#loaded.elements))
      return false;
    this.#spoil();
    return true;
  }

  #spoil(): void {
    this.#kernel.spoil('firewall');
    this.#peers = undefined;
  }

  async #refresh(): Promise<void> {
    if (!this.#kernel.takeStale('firewall')) return;
    const before = this.#loaded;
    const listed = await this.#nft.list();
    // The digest says which rules the table was made from; only our own listing, that nobody changed it since.
    const intact = listed !== undefined && (before === undefined || before.listing === listed.listing);
    this.#loaded = listed === undefined ? undefined : { ...listed, digest: intact ? listed.digest : '' };
  }

  async #load(plan: MeshPlan, commands: readonly Command[], outcome: Outcome): Promise<void> {
    const known = this.#loaded !== undefined;
    const elements = nodeElements(plan);
    const digest = digestOf(commands);
    const filled = [...elements].flatMap(([set, members]) =>
      members.size === 0 ? [] : [elementCommand('add', set, [...members])],
    );
    await this.#nft.run([
      // Added first so that the deletion, which makes room for the new one, cannot fail.
      { add: { table: TABLE } },
      { delete: { table: TABLE } },
      { add: { table: TABLE } },
      ...signed(commands, digest),
      ...filled,
    ]);
    outcome.changed(
      change('firewall', known ? 'change' : 'add', {
        what: `table ${TABLE.family} ${TABLE.name}`,
        repaired: this.#settled,
      }),
    );
    const listed = await this.#nft.list();
    this.#loaded = { digest, listing: listed?.listing ?? '', elements };
    this.#peers = plan.peers;
    this.#settled = true;
  }

  async #elements(plan: MeshPlan, verb: 'add' | 'delete', outcome: Outcome): Promise<void> {
    const loaded = this.#loaded;
    if (loaded === undefined || plan.peers === this.#peers) return;
    for (const [set, members] of nodeElements(plan)) {
      const has = loaded.elements.get(set) ?? new Set<string>();
      const [from, to] = verb === 'add' ? [has, members] : [members, has];
      const elements = [...to].filter((element) => !from.has(element));
      if (elements.length === 0) continue;
      await this.#nft.run([elementCommand(verb, set, elements)]);
      loaded.elements.set(set, verb === 'add' ? new Set([...has, ...members]) : members);
      outcome.changed(change('firewall', 'change', { what: `${verb} ${elements.join(', ')} in set ${set}` }));
    }
    this.#settled = true;
    if (verb === 'delete') this.#peers = plan.peers;
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

function sameElements(
  a: ReadonlyMap<string, ReadonlySet<string>>,
  b: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  return [...b].every(([set, members]) => {
    const other = a.get(set) ?? new Set();
    return other.size === members.size && [...members].every((member) => other.has(member));
  });
}

/** Keeps the table `inet sheath` as the plan wants it: one atomic transaction a change, none when there is nothing to change. */
import { createHash } from 'node:crypto';
import type { MeshPlan } from '../../mesh/types.ts';
import { change, type Outcome, refused } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import { familyOf } from '../netlink/ip.ts';
import { type Nft, SIGNATURE } from './nft.ts';
import { NodeAddresses } from './nodes.ts';
import { type Command, elementCommand, type Json, ruleset, setName, TABLE, translates } from './ruleset.ts';

/** What the table holds: the digest of the rules it was made from, their listing, and the elements of the nodes' sets. */
interface Loaded {
  readonly digest: string;
  readonly listing: string;
  readonly elements: Map<string, Set<string>>;
}

export class Firewall {
  readonly #kernel: Kernel;
  readonly #nft: Nft;
  #loaded: Loaded | undefined;
  readonly #nodes = new NodeAddresses();
  /** The elements were read, or written, as a whole since the last doubt. */
  #compared = false;
  #settled = false;

  constructor(kernel: Kernel, nft: Nft) {
    this.#kernel = kernel;
    this.#nft = nft;
  }

  /** The table, and additions to its sets. */
  async set(plan: MeshPlan, outcome: Outcome): Promise<void> {
    this.#nodes.follow(plan.peers);
    const wanted = ruleset(plan);
    if (wanted === undefined) return;
    try {
      await this.#refresh();
      const digest = digestOf(wanted);
      if (this.#loaded?.digest !== digest) await this.#load(plan, wanted, outcome);
      else await this.#elements('add', outcome);
    } catch (cause) {
      this.#spoil();
      outcome.failed(refused('firewall', `table ${TABLE.family} ${TABLE.name}`, cause));
    }
  }

  /** What is not wanted any more. */
  async prune(plan: MeshPlan, outcome: Outcome): Promise<void> {
    try {
      if (ruleset(plan) !== undefined) return await this.#elements('delete', outcome);
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
    this.#compared = false;
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
    const digest = digestOf(commands);
    const elements = this.#nodes.elements();
    for (const family of [4, 6] as const)
      if (!translates(plan, family)) elements.delete(setName('nodes', family));
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
    this.#nodes.settled();
    this.#compared = true;
    this.#settled = true;
  }

  async #elements(verb: 'add' | 'delete', outcome: Outcome): Promise<void> {
    const loaded = this.#loaded;
    if (loaded === undefined) return;
    const commands: Command[] = [];
    const told: string[] = [];
    for (const [set, has] of loaded.elements) {
      const elements = this.#difference(verb, set, has);
      if (elements.length === 0) continue;
      commands.push(elementCommand(verb, set, elements));
      told.push(`${elements.join(', ')} ${verb === 'add' ? 'to' : 'from'} set ${set}`);
    }
    if (commands.length > 0) await this.#nft.run(commands);
    for (const [set, has] of loaded.elements) {
      for (const element of this.#difference(verb, set, has)) {
        if (verb === 'add') has.add(element);
        else has.delete(element);
      }
    }
    for (const what of told) outcome.changed(change('firewall', 'change', { what: `${verb} ${what}` }));
    this.#settled = true;
    if (verb === 'add') return;
    this.#nodes.settled();
    this.#compared = true;
  }

  /** Elements to add to, or to delete from, one set: looked for among those of changed peers only, once all were compared. */
  #difference(verb: 'add' | 'delete', set: string, has: ReadonlySet<string>): string[] {
    const all = () => (verb === 'add' ? [...(this.#nodes.elements().get(set) ?? [])] : [...has]);
    const candidates = this.#compared ? this.#nodes.touched() : all();
    return candidates.filter(
      (one) =>
        setName('nodes', familyOf(one)) === set &&
        has.has(one) === (verb === 'delete') &&
        this.#nodes.has(one) === (verb === 'add'),
    );
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

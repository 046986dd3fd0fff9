/**
 * Keeps our tables as the plan wants them: one atomic transaction a change, none when there is nothing to change.
 *
 * In strict mode the door is shut first and opened last (`shut`, `set`, `open` in the order of `tunnels/set.ts`), stays when the agent
 * goes, and is looked after: each change that anybody makes to nf_tables gives the kernel's rules another generation, which is cheap
 * to ask for, and only then the tables themselves are compared (`mend`).
 */
import { createHash } from 'node:crypto';
import type { MeshPlan } from '../../mesh/types.ts';
import type { Change, DoorReport } from '../dataplane.ts';
import { underlayLinks } from '../devices/mtu.ts';
import { change, DataplaneFailure, type Outcome, refused } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import type { BootDoor } from './boot.ts';
import { Counts } from './counts.ts';
import type { Table } from './json.ts';
import type { Keep } from './keep.ts';
import { KnownTables, type KnownTablesOptions } from './known.ts';
import type { Nft } from './nft.ts';
import { GUARD, gaps, KEEP, keepOf, TABLE, TABLES, tablesOf } from './ruleset.ts';
import { loading, loadingAnew, removal } from './transaction.ts';

export interface FirewallOptions extends KnownTablesOptions {
  readonly kernel: Kernel;
  readonly nft: Nft;
  readonly keep: Keep;
  readonly boot: BootDoor;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export class Firewall {
  readonly #options: FirewallOptions;
  readonly #counts: Counts;
  readonly #known: KnownTables;
  #breach: DoorReport['breach'];
  #unreported: Change[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: FirewallOptions) {
    this.#options = options;
    this.#counts = new Counts(options.nftables);
    this.#known = new KnownTables(options);
  }

  /** First of all: in strict mode everything that the plan wants; else nothing. */
  async shut(plan: MeshPlan, outcome: Outcome): Promise<void> {
    for (const made of this.#unreported.splice(0)) outcome.changed(made);
    if (plan.mode !== 'strict') return;
    for (const gap of gaps(plan)) outcome.failed(gap);
    await this.#lock(plan, outcome);
  }

  /** In its turn: what the plan wants, unless that opens the door. */
  async set(plan: MeshPlan, outcome: Outcome): Promise<void> {
    if (plan.mode === 'strict' || plan.devices.length === 0) return;
    await this.#attempt(outcome, async () => {
      await this.#refresh();
      if (!this.#known.found.has(GUARD)) await this.#make(tablesOf(plan), outcome);
    });
  }

  /** Last of all additions: opens a door that is not wanted any more. */
  async open(plan: MeshPlan, outcome: Outcome): Promise<void> {
    if (plan.mode === 'strict') return;
    await this.#attempt(outcome, async () => {
      await this.#refresh();
      if (this.#known.found.has(GUARD)) await this.#make(tablesOf(plan), outcome);
      await this.#options.keep.remove();
      await this.#setBoot([]);
    });
  }

  /** Takes away what the plan does not need. */
  async prune(plan: MeshPlan, outcome: Outcome): Promise<void> {
    if (plan.mode === 'strict' || plan.devices.length > 0) return;
    await this.#attempt(outcome, () => this.#make([], outcome));
  }

  /** Whether another hand was at the tables. */
  tampered(): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#known.none) return false;
      await this.#refresh();
      return this.#known.disturbed.length > 0 || this.#options.keep.lost;
    });
  }

  /** What `shut` does, between two calls of `set`; the next report tells of it. */
  async mend(plan: MeshPlan, outcome: Outcome): Promise<void> {
    if (plan.mode === 'strict') await this.#lock(plan, outcome);
    else await this.#attempt(outcome, () => this.#make(tablesOf(plan), outcome));
    this.#unreported.push(...outcome.changes);
  }

  /** Undefined: no door was ever shut. */
  report(plan: MeshPlan): Promise<DoorReport | undefined> {
    return this.#inTurn(() => this.#report(plan));
  }

  async #report(plan: MeshPlan): Promise<DoorReport | undefined> {
    const tables = TABLES.filter((name) => this.#known.found.has(name));
    if (plan.mode !== 'strict' && this.#counts.list().every(({ packets }) => packets === 0)) return undefined;
    for (const name of tables) await this.#counts.read(name);
    await this.#counts.read(KEEP);
    const shut = tables.length === TABLES.length && this.#known.disturbed.length === 0;
    return {
      shut,
      dropped: this.#counts.list(),
      ...(this.#breach === undefined ? {} : { breach: this.#breach }),
    };
  }

  close(): void {
    this.#options.keep.close();
    this.#options.nftables.close();
  }

  async #lock(plan: MeshPlan, outcome: Outcome): Promise<void> {
    let made: readonly Table[] = [];
    await this.#attempt(outcome, async () => {
      const outside = await this.#outside(plan);
      const tables = tablesOf(plan, outside);
      await this.#make(tables, outcome);
      made = tables;
      await this.#setKeep(keepOf(plan, outside));
    });
    // What the kernel refused would be refused at boot too, and without the keep this is the door all the same.
    if (made.length > 0) await this.#attempt(outcome, () => this.#setBoot(made));
  }

  async #setBoot(tables: readonly Table[]): Promise<void> {
    await this.#options.boot.set(tables).catch((cause: unknown) => {
      throw new DataplaneFailure({
        part: 'firewall',
        code: 'BOOT_DOOR_UNWRITTEN',
        message: `what this machine is to load when it boots cannot be kept: ${String(cause)}; make its folder writable`,
      });
    });
  }

  async #setKeep(table: Table): Promise<void> {
    await this.#options.keep.set(table, digestOf(table), this.#counts.of(KEEP)).catch((cause: unknown) => {
      throw new DataplaneFailure({
        part: 'firewall',
        code: 'KEEP_REFUSED',
        message: `table inet ${KEEP}, which a flush of all rules would pass by, cannot be: ${String(cause)}; the door is shut without it`,
      });
    });
  }

  async #attempt(outcome: Outcome, task: () => Promise<void>): Promise<void> {
    try {
      await this.#inTurn(task);
    } catch (cause) {
      this.#options.kernel.spoil('firewall');
      const own = cause instanceof DataplaneFailure;
      outcome.failed(own ? cause : refused('firewall', `table inet ${TABLE}`, cause));
    }
  }

  /** Where it cannot be read which links lead to the other nodes, a door that does not ask for them is better than none. */
  async #outside(plan: MeshPlan): Promise<readonly string[]> {
    const links = await underlayLinks(plan.ownAddresses, this.#options.kernel).catch(() => []);
    // Behind a bridge that carries the node's address there may be pods of ours too.
    const outside = links.filter(({ kind }) => kind !== 'bridge' && kind !== 'openvswitch');
    return outside.map(({ name }) => name).sort();
  }

  /** A door that is mended waits for nothing but for what is done to the tables just now. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(task, task);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  #refresh(): Promise<void> {
    return this.#known.refresh(this.#options.kernel.takeStale('firewall'));
  }

  async #make(wanted: readonly Table[], outcome: Outcome): Promise<void> {
    await this.#refresh();
    const disturbed = new Set(this.#known.disturbed);
    const digests = new Map(wanted.map((table) => [table.name, digestOf(table)]));
    const due = wanted.filter(
      ({ name }) => disturbed.has(name) || this.#known.digest(name) !== digests.get(name),
    );
    const surplus = TABLES.filter((name) => this.#known.found.has(name) && !digests.has(name));
    for (const { name } of wanted)
      if (!due.some((table) => table.name === name)) this.#known.settled.add(name);
    if (due.length === 0 && surplus.length === 0) return;
    const held = await this.#heldMeanwhile();
    await this.#load(due, surplus);
    const note = this.#noteOf(disturbed, held);
    this.#tell({ due, surplus, disturbed, note }, outcome);
    await this.#known.remember(wanted, digests);
  }

  async #load(due: readonly Table[], surplus: readonly string[]): Promise<void> {
    const { found } = this.#known;
    const run = (make: typeof loading) =>
      this.#options.nft.run([
        ...due.flatMap((table) => make(table, found.get(table.name), this.#counts.of(table.name))),
        ...surplus.map(removal),
      ]);
    try {
      await run(loading);
    } catch (error) {
      if (!due.some(({ name }) => found.has(name))) throw error;
      for (const { name } of due) await this.#counts.read(name);
      await run(loadingAnew);
    }
  }

  /** Reads the counters, for the tables that are made anew. @returns packets that others stopped, which the door would have. */
  async #heldMeanwhile(): Promise<Held> {
    await this.#counts.read(TABLE);
    return { guard: await this.#counts.read(GUARD), keep: await this.#counts.read(KEEP) };
  }

  /** What somebody's hand meant for the door, when it was shut before. */
  #noteOf(disturbed: ReadonlySet<string>, held: Held): string {
    if (!this.#known.settled.has(GUARD)) return '';
    if (!disturbed.has(TABLE)) return '';
    if (!disturbed.has(GUARD)) return `: inet ${GUARD} held, and dropped ${held.guard} packets meanwhile`;
    if (this.#options.keep.holds) return `: inet ${KEEP} held, and dropped ${held.keep} packets meanwhile`;
    const { now, steady } = this.#options;
    const until = now();
    const since = Math.round(until - (steady() - this.#known.undisturbedAt));
    this.#breach = { since, until };
    return `: the door was open for up to ${until - since} ms, since ${new Date(since).toISOString()}; what passed is not known`;
  }

  #tell(made: Made, outcome: Outcome): void {
    for (const { name } of made.due) {
      const repaired = made.disturbed.has(name) && this.#known.settled.has(name);
      const note = name === TABLE ? made.note : '';
      const action = this.#known.found.has(name) ? 'change' : 'add';
      outcome.changed(change('firewall', action, { what: `table inet ${name}${note}`, repaired }));
      this.#known.settled.add(name);
    }
    for (const name of made.surplus) {
      outcome.changed(change('firewall', 'remove', { what: `table inet ${name}` }));
      this.#known.settled.delete(name);
      this.#counts.retire(name);
    }
  }
}

interface Held {
  readonly guard: bigint;
  readonly keep: bigint;
}

interface Made {
  readonly due: readonly Table[];
  readonly surplus: readonly string[];
  readonly disturbed: ReadonlySet<string>;
  readonly note: string;
}

const digestOf = (table: Table): string =>
  createHash('sha256').update(JSON.stringify(table)).digest('hex').slice(0, 16);

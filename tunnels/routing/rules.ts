/** Rules: what sends packets to our tables. They come last and go first. */
import { podMark, podsAreMarked } from '../../mesh/pod-mark.ts';
import { familyOfPrefix } from '../../mesh/prefix.ts';
import type { MeshPlan, RoutePlan, RoutingConfig, RuleEntry } from '../../mesh/types.ts';
import { Delta } from '../delta.ts';
import { change, type Outcome, refused } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import { PROTOCOL, type Rule, type RuleChange, type Write } from '../netlink/types.ts';

export class Rules {
  readonly #kernel: Kernel;
  readonly #delta = new Delta<RuleChange, RuleChange>(() => true);
  #foreign: readonly Rule[] = [];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async refresh(routes: RoutePlan): Promise<void> {
    const wanted = new Map(routes.rules.map((entry) => [keyOf(toRule(entry)), toRule(entry)]));
    for (const key of [...this.#delta.wantedKeys()]) if (!wanted.has(key)) this.#delta.unwant(key);
    for (const [key, rule] of wanted) if (this.#delta.wanted(key) === undefined) this.#delta.want(key, rule);
    if (this.#kernel.takeStale('rules')) await this.#read();
  }

  /** @returns the families of which rules were added. */
  async add(outcome: Outcome, plan: MeshPlan): Promise<ReadonlySet<4 | 6>> {
    const updates = this.#delta.updates().filter(({ wanted }) => this.#free(wanted));
    this.#complain(outcome, plan);
    const results = await this.#kernel.netlink.write(
      updates.map(({ wanted }): Write => ({ type: 'addRule', rule: wanted })),
    );
    const families = new Set<4 | 6>();
    for (const [i, { key, wanted, repaired }] of updates.entries()) {
      const error = results[i];
      if (error !== undefined) {
        outcome.failed(refused('rule', key, error));
        this.#kernel.spoil('rules');
        continue;
      }
      this.#delta.wrote(key, wanted);
      families.add(wanted.family);
      outcome.changed(change('rule', 'add', { what: key, repaired }));
    }
    return families;
  }

  async remove(outcome: Outcome): Promise<ReadonlySet<4 | 6>> {
    const removals = this.#delta
      .removals()
      .flatMap(({ key, actual, repaired }) => (actual === undefined ? [] : [{ key, actual, repaired }]));
    const results = await this.#kernel.netlink.write(
      removals.map(({ actual }): Write => ({ type: 'removeRule', rule: actual })),
    );
    const families = new Set<4 | 6>();
    for (const [i, { key, actual, repaired }] of removals.entries()) {
      const error = results[i];
      if (error !== undefined && error.code !== 'ENOENT') {
        outcome.failed(refused('rule', key, error));
        continue;
      }
      this.#delta.removed(key);
      families.add(actual.family);
      outcome.changed(change('rule', 'remove', { what: key, repaired }));
    }
    return families;
  }

  /** Whether a notice about a rule tells something that is not known. */
  surprises(rule: Rule, removed: boolean): boolean {
    if (rule.protocol !== PROTOCOL) return true;
    return (this.#delta.actual(keyOf(rule)) !== undefined) === removed;
  }

  async #read(): Promise<void> {
    const found = await this.#kernel.netlink.rules().catch((error: unknown) => {
      this.#kernel.spoil('rules');
      throw error;
    });
    this.#foreign = found.filter((rule) => rule.protocol !== PROTOCOL);
    const ours = found.filter((rule) => rule.protocol === PROTOCOL);
    this.#delta.read(new Map(ours.map((rule) => [keyOf(rule), rule])));
  }

  #free(rule: RuleChange): boolean {
    return !this.#foreign.some(
      (foreign) =>
        foreign.family === rule.family &&
        (foreign.priority === rule.priority || (rule.mask !== 0 && usesMark(foreign, rule))),
    );
  }

  /** Before the first peer needs a rule too: what is in our way at the start is told at the start. */
  #complain(outcome: Outcome, plan: MeshPlan): void {
    const ours = rulesToCome(plan);
    for (const foreign of this.#foreign) {
      const errors = ours.flatMap((rule) => conflict(foreign, rule, plan.routing) ?? []);
      if (errors[0] !== undefined) outcome.failed({ part: 'rule', ...errors[0] });
    }
  }
}

/** One rule of each kind and family that a plan can come to need. */
function rulesToCome(plan: MeshPlan): readonly RuleChange[] {
  const { devices, ownPrefixes, scope, routing } = plan;
  if (devices.length === 0) return [];
  const { table, rulePriority, podTable, podRulePriority, fwmark } = routing;
  const mark = podsAreMarked(plan) ? podMark(fwmark) : undefined;
  return ownPrefixes.flatMap((from) => {
    const family = familyOfPrefix(from);
    const unmarked: RuleEntry = { kind: 'unmarked', family, priority: rulePriority, table, ...fwmark };
    const ofPods = { family, priority: podRulePriority, table: podTable };
    const pods: RuleEntry =
      mark === undefined ? { kind: 'from', ...ofPods, from } : { kind: 'marked', ...ofPods, ...mark };
    return (scope === 'pods' ? [pods, unmarked] : [unmarked]).map(toRule);
  });
}

/** A rule that selects packets by our bit would take our tunnel packets, and we would let its packets pass in clear. */
const usesMark = (foreign: Rule, ours: RuleChange) => (foreign.mark & foreign.mask & ours.mask) !== 0;

function conflict(foreign: Rule, ours: RuleChange, routing: RoutingConfig) {
  if (foreign.family !== ours.family) return undefined;
  const text = `rule "${keyOf(foreign)}"`;
  if (foreign.priority === ours.priority) {
    const flag =
      ours.priority === routing.rulePriority ? '--routing-rule-priority' : '--routing-pod-rule-priority';
    return {
      code: 'RULE_FOREIGN',
      message: `${text} has our priority ${ours.priority} and is not ours; remove it, or choose another with ${flag}`,
    };
  }
  if (ours.mask !== 0 && usesMark(foreign, ours)) {
    return {
      code: 'MARK_FOREIGN',
      message: `${text} uses our mark ${hex(ours.mask)}; remove it, or choose another bit with --routing-fwmark`,
    };
  }
  return undefined;
}

function toRule(entry: RuleEntry): RuleChange {
  const { family, priority, table } = entry;
  if (entry.kind === 'from')
    return { family, priority, table, not: false, mark: 0, mask: 0, from: entry.from };
  return { family, priority, table, not: entry.kind === 'unmarked', mark: entry.mark, mask: entry.mask };
}

const hex = (value: number) => `0x${value.toString(16)}`;

/** In the words of ip-rule(8), complete: two rules that differ in anything have different keys. */
function keyOf(rule: RuleChange & { strange?: boolean }): string {
  const mark = rule.mask === 0 ? '' : ` fwmark ${hex(rule.mark)}/${hex(rule.mask)}`;
  const strange = rule.strange === true ? ' ...' : '';
  const family = rule.family === 6 ? '-6 ' : '';
  return `${family}${rule.priority}: ${rule.not ? 'not ' : ''}from ${rule.from ?? 'all'}${mark}${strange} lookup ${rule.table}`;
}

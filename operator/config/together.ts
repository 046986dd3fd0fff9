/** Values that must go together, whoever said each: told by the agent of what it resolved, and by the API server of the resource alone. */
import { DEFAULTS, type FullSpec } from './defaults.ts';
import { getAt } from './paths.ts';
import type { Rule } from './rules.ts';
import { IPSEC_TOGETHER } from './together-ipsec.ts';

export interface Together {
  /** Both by path: the one to blame first. */
  readonly fields: readonly [blamed: string, other: string];
  readonly holds: (spec: FullSpec) => boolean;
  /** Stands between the two: `routing.podTable 7 (--routing-pod-table) must differ from routing.table 7 (default)`. */
  readonly must: string;
  /** In place of the other field's name, for the API server, which does not show values. */
  readonly when?: string;
  readonly why: string;
  /** What it is in this spec, for whoever sees its values. */
  readonly details?: (spec: FullSpec) => string;
  readonly reason: NonNullable<Rule['reason']>;
  /** The same as `holds`, of both values in CEL. */
  readonly cel: (blamed: string, other: string) => string;
}

export const TOGETHER: readonly Together[] = [
  {
    fields: ['routing.podTable', 'routing.table'],
    holds: ({ routing }) => routing.podTable !== routing.table,
    must: 'must differ from',
    why: '',
    reason: 'FieldValueInvalid',
    cel: (podTable, table) => `${podTable} != ${table}`,
  },
  {
    fields: ['routing.podRulePriority', 'routing.rulePriority'],
    holds: ({ routing }) => routing.podRulePriority < routing.rulePriority,
    must: 'must be lower than',
    why: ': packets from own pods are looked up first',
    reason: 'FieldValueInvalid',
    cel: (podRulePriority, rulePriority) => `${podRulePriority} < ${rulePriority}`,
  },
  {
    fields: ['clusterPrefixes', 'mode'],
    holds: ({ mode, clusterPrefixes }) => mode !== 'strict' || clusterPrefixes.length > 0,
    must: 'must not be empty with',
    when: 'mode strict',
    why: ': what it names, the ranges of all pods, is what the door is shut for (sheath enable --strict proposes them)',
    reason: 'FieldValueRequired',
    cel: (clusterPrefixes, mode) => `${mode} != 'strict' || size(${clusterPrefixes}) > 0`,
  },
  ...IPSEC_TOGETHER,
];

/** For the API server, of a spec in which every field may be absent. */
export function togetherRules(): readonly Rule[] {
  return TOGETHER.map(({ fields: [blamed, other], must, when, why, reason, cel }) => ({
    rule: cel(valueInCel(blamed), valueInCel(other)),
    message: `${blamed}${byDefault(blamed)} ${must} ${when ?? other}${byDefault(other)}${why}`,
    fieldPath: `.${blamed}`,
    reason,
  }));
}

/** The value, or what holds where it is absent: `(has(self.routing) && has(self.routing.table) ? self.routing.table : 51830)`. */
function valueInCel(path: string): string {
  const keys = path.split('.');
  const there = keys.map((_, depth) => `has(self.${keys.slice(0, depth + 1).join('.')})`).join(' && ');
  return `(${there} ? self.${path} : ${JSON.stringify(getAt(DEFAULTS, keys)).replaceAll('"', "'")})`;
}

function byDefault(path: string): string {
  const value = getAt(DEFAULTS, path.split('.'));
  return typeof value === 'number' ? ` (${value} where it is not set)` : '';
}

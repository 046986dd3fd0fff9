/** The nftables tables that a plan needs: `inet sheath`, and in strict mode the guard of its door. */
import { contains, rangeOf } from '../../mesh/prefix.ts';
import type { MeshPlan } from '../../mesh/types.ts';
import type { DataplaneError } from '../dataplane.ts';
import { DataplaneFailure } from '../failure.ts';
import { door } from './door.ts';
import { type Rules, type Table, together } from './json.ts';
import { podMarks } from './mark.ts';
import { passage } from './translate.ts';

export const TABLE = 'sheath';
export const GUARD = 'sheath-guard';
/** Those that stay when the agent goes. */
export const TABLES = [TABLE, GUARD] as const;
/** What a flush of all rules passes by (`keep.ts`). */
export const KEEP = 'sheath-keep';
export type TableName = (typeof TABLES)[number];

/**
 * Empty: none is needed.
 * @param outside links to the other nodes, behind which no pod of ours is
 * @throws DataplaneFailure `CLUSTER_PREFIXES_MISSING`: strict mode with nothing to shut the door for
 */
export function tablesOf(plan: MeshPlan, outside: readonly string[] = []): readonly Table[] {
  const strict = plan.mode === 'strict';
  if (strict && plan.clusterPrefixes.length === 0) {
    throw new DataplaneFailure({
      part: 'firewall',
      code: 'CLUSTER_PREFIXES_MISSING',
      message:
        'strict mode: clusterPrefixes is empty, so nothing is dropped; set it to the ranges that all pods have addresses from',
    });
  }
  const parts: Rules[] = [
    ...(strict ? [door(plan, { outside })] : []),
    ...(plan.devices.length > 0 ? [passage(plan), podMarks(plan)] : []),
  ];
  if (parts.length === 0) return [];
  return [
    { name: TABLE, ...together(parts) },
    ...(strict ? [{ name: GUARD, ...door(plan, { outside, later: 1 }) }] : []),
  ];
}

export const keepOf = (plan: MeshPlan, outside: readonly string[]): Table => ({
  name: KEEP,
  ...door(plan, { outside, later: 2 }),
});

/** Where a door that shuts still leaves a gap that nobody meant. */
export function gaps({
  mode,
  clusterPrefixes,
  nodePrefixes,
  ownPrefixes,
  scope,
}: MeshPlan): DataplaneError[] {
  if (mode !== 'strict' || clusterPrefixes.length === 0) return [];
  const ranges = clusterPrefixes.map(rangeOf);
  const outside = ownPrefixes.filter((own) => !ranges.some((range) => contains(range, rangeOf(own))));
  const gap = (code: string, message: string): DataplaneError => ({ part: 'firewall', code, message });
  return [
    ...(outside.length === 0
      ? []
      : [
          gap(
            'CLUSTER_PREFIXES_NARROW',
            `strict mode: ${outside.join(', ')} of this node is outside of clusterPrefixes, and so will be its like on other nodes, for which nothing is dropped; add their range`,
          ),
        ]),
    ...(scope === 'nodes' && nodePrefixes.length === 0
      ? [
          gap(
            'NODE_PREFIXES_MISSING',
            'strict mode: nodePrefixes is empty, so nothing between nodes is dropped though scope is nodes; set it to the ranges that all nodes have addresses from',
          ),
        ]
      : []),
  ];
}

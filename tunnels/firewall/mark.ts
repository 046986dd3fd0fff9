/**
 * The mark by which a routing rule knows own pods (source `pods`): as a set, a pod that comes or goes is one element, and not a
 * rule in the way of every packet. Set after everybody else in prerouting, taken off before anybody else after routing.
 */
import { podMark, podsAreMarked } from '../../mesh/pod-mark.ts';
import type { MeshPlan } from '../../mesh/types.ts';
import {
  bits,
  equal,
  FAMILIES,
  type Json,
  meta,
  PROTOCOL,
  payload,
  prefixSet,
  type Rules,
  rule,
} from './json.ts';

/** After `dstnat` and all that is usual; and before `raw`. */
const LAST = 300;
const FIRST = -400;
const ALL = 0xffff_ffff;

export function podMarks(plan: MeshPlan): Rules {
  const bit = podsAreMarked(plan) ? podMark(plan.routing.fwmark)?.mask : undefined;
  if (bit === undefined) return { counters: [], sets: [], chains: [], rules: [] };
  const set = (value: Json): Json => ({ mangle: { key: meta('mark'), value } });
  const off = [
    equal(bits(meta('mark'), bit), bit),
    // Of the whole word: nft knows no complement.
    set(bits(meta('mark'), (ALL ^ bit) >>> 0)),
  ];
  return {
    counters: [],
    sets: FAMILIES.map((family) => prefixSet(`marked${family}`, family, plan.ownPrefixes)),
    chains: [
      { name: 'pods-on', base: { type: 'filter', hook: 'prerouting', prio: LAST } },
      { name: 'pods-off-forward', base: { type: 'filter', hook: 'forward', prio: FIRST } },
      { name: 'pods-off-input', base: { type: 'filter', hook: 'input', prio: FIRST } },
    ],
    rules: [
      ...FAMILIES.map((family) =>
        rule(
          'pods-on',
          equal(payload(PROTOCOL[family], 'saddr'), `@marked${family}`),
          set({ '|': [meta('mark'), bit] }),
        ),
      ),
      rule('pods-off-forward', ...off),
      rule('pods-off-input', ...off),
    ],
  };
}

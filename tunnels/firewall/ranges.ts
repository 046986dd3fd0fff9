/** What the door judges by: the ranges of addresses of one family, each the set of its name. */
import { contains, hostPrefix, rangeOf } from '../../mesh/prefix.ts';
import type { MeshPlan, Prefix } from '../../mesh/types.ts';
import { familyOf } from '../netlink/ip.ts';
import type { Family } from './json.ts';
import { deviceAddresses } from './translate.ts';

export interface Ranges {
  /** Our own pods, and our devices. */
  readonly pods: readonly Prefix[];
  /** All pods. */
  readonly cluster: readonly Prefix[];
  /** All nodes; empty where nobody said. */
  readonly hosts: readonly Prefix[];
  /** This node. */
  readonly self: readonly Prefix[];
  /** In the range of the pods, and none of them. */
  readonly apart: readonly Prefix[];
  readonly exempt: readonly Prefix[];
  /** Of these, what is this node's or its pods'. */
  readonly ownexempt: readonly Prefix[];
}

export function rangesOf(plan: MeshPlan, family: Family): Ranges {
  const of = (prefixes: readonly Prefix[]) => prefixes.filter((prefix) => familyOf(prefix) === family);
  const pods = of([...plan.ownPrefixes, ...deviceAddresses(plan)]);
  const self = of(plan.ownAddresses.map(hostPrefix));
  const cluster = of(plan.clusterPrefixes);
  const nodes = of(plan.nodePrefixes);
  const exempt = of(plan.exempt);
  return {
    pods,
    cluster,
    hosts: nodes.length === 0 ? [] : [...nodes, ...self],
    self,
    apart: [...nodes.filter((one) => cluster.some((other) => isNarrower(one, other))), ...self],
    exempt,
    ownexempt: exempt.flatMap((one) => [...pods, ...self].flatMap((own) => common(one, own))),
  };
}

/** What both hold: of two ranges that nest, the narrower. */
function common(one: Prefix, other: Prefix): Prefix[] {
  const [a, b] = [rangeOf(one), rangeOf(other)];
  if (contains(a, b)) return [other];
  return contains(b, a) ? [one] : [];
}

function isNarrower(inner: Prefix, outer: Prefix): boolean {
  const [a, b] = [rangeOf(inner), rangeOf(outer)];
  return contains(b, a) && !contains(a, b);
}

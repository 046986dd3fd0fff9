/** Plans of node 1, for the tests of `plan()`. */
import { type PlanInput, plan } from '../../mesh/plan.ts';
import type { MeshPlan, NodeRecord, ProblemCode } from '../../mesh/types.ts';
import { config, noEvidence, recordOf } from './fixtures.ts';

export const self = recordOf(1);

export function planOf(others: readonly NodeRecord[], changes: Partial<PlanInput> = {}): MeshPlan {
  return plan({ self, records: [self, ...others], config, evidence: noEvidence, ...changes });
}

/** `n2 10.100.2.0/24 ...` */
export function peersOf({ peers }: MeshPlan): readonly string[] {
  return peers.map(({ node, prefixes }) => `${node} ${prefixes.join(' ')}`);
}

export function codesOf(result: MeshPlan): readonly ProblemCode[] {
  return result.refused.map(({ code }) => code);
}

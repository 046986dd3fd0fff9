/** Stub: the signature that others build on. */
import type { PublicKey } from '../keys/generation.ts';
import type { Evidence, MeshConfig, MeshPlan, NodeRecord } from './types.ts';

export interface PlanInput {
  /** This node's own record: its live generations, addresses and prefixes. */
  readonly self: NodeRecord;
  /** All records; our own is skipped, by name or uid. */
  readonly records: readonly NodeRecord[];
  readonly config: MeshConfig;
  readonly evidence: Evidence;
}

export function plan(_input: PlanInput): MeshPlan {
  throw new Error('plan: not built yet');
}

/** Two or more Nodes that publish one key: who is tried now, and who waits, in the order they are to be tried. */
export interface KeyContention {
  readonly publicKey: PublicKey;
  readonly holder: { readonly node: string };
  readonly others: readonly { readonly node: string; readonly uid: string }[];
}

/**
 * For the agent: when `holder` is not established some 30 s after it is tried, put the uid of the next of `others` into
 * `evidence.keyHolders`; once one is established, keep it there.
 */
export function keyContenders(_plan: MeshPlan): readonly KeyContention[] {
  throw new Error('keyContenders: not built yet');
}

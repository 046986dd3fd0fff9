/** Stub: the signature that others build on. */
import type { DeviceName, MeshPlan, Observation, PeerStatus } from './types.ts';

export interface StatusInput {
  readonly plan: MeshPlan;
  /** What the last call returned; empty at the start. */
  readonly previous: ReadonlyMap<string, PeerStatus>;
  readonly observations: readonly Observation[];
  /** Names of the Nodes whose routes are in the kernel. */
  readonly routed: ReadonlySet<string>;
  readonly deviceMtu: ReadonlyMap<DeviceName, number>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** By node name, sorted. One for every other Node in the plan: its peers, and those it refuses whole. */
export function peerStatuses(_input: StatusInput): ReadonlyMap<string, PeerStatus> {
  throw new Error('peerStatuses: not built yet');
}

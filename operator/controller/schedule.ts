/** Rotations by the clock: `spec.rotation.interval` after the last one ended, and only when nothing else is under way. */

import { MAX_GENERATION } from '../../mesh/annotations.ts';
import type { MeshStatus } from '../config/resource.ts';
import { parseDuration } from '../config/values.ts';
import { driverOf, holdersOf, membersOf } from './facts.ts';
import type { SeenMesh } from './mesh.ts';
import type { ClusterNode } from './node.ts';

export type Schedule =
  | { readonly kind: 'raise'; readonly generation: number }
  /** Milliseconds since the epoch. */
  | { readonly kind: 'wait'; readonly until: number }
  /** None is wished, or one is under way. */
  | { readonly kind: 'none' };

export interface ScheduleInput {
  readonly mesh: SeenMesh;
  readonly nodes: readonly ClusterNode[];
  readonly status: MeshStatus;
  readonly now: number;
}

const NONE: Schedule = { kind: 'none' };

export function schedule({ mesh, nodes, status, now }: ScheduleInput): Schedule {
  const { rotation, generation = 1 } = mesh.wish;
  const interval = rotation?.interval === undefined ? undefined : parseDuration(rotation.interval);
  if (interval === undefined || mesh.invalid !== undefined || driverOf(mesh) === 'none') return NONE;
  if (status.rotation !== undefined || status.lastRotationTime === undefined) return NONE;
  const holders = holdersOf(mesh, membersOf(mesh, nodes));
  const settled = holders.every(
    ({ record }) => record.generations.length === 1 && record.generations[0]?.number === generation,
  );
  if (holders.length === 0 || !settled || generation >= MAX_GENERATION) return NONE;
  const due = Date.parse(status.lastRotationTime) + interval;
  return now >= due ? { kind: 'raise', generation: generation + 1 } : { kind: 'wait', until: due };
}

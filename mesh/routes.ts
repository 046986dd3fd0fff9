/** Stub: the signature that others build on. */
import type { MeshPlan, PeerStatus, RoutePlan } from './types.ts';

export function planRoutes(_plan: MeshPlan, _statuses: ReadonlyMap<string, PeerStatus>): RoutePlan {
  throw new Error('planRoutes: not built yet');
}

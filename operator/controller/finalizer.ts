/**
 * `sheath.dev/disable-first` on the resource: whoever deletes it is made to wait until every node has opened its door and given up its
 * keys, which agents do when they see that it is being deleted.
 */
import { notOff } from '../../mesh/progress.ts';
import { FINALIZER } from '../config/resource.ts';
import { driverOf } from './facts.ts';
import type { SeenMesh } from './mesh.ts';
import type { ClusterNode } from './node.ts';

/** What `metadata.finalizers` is to be; undefined: as it is. */
export function wantedFinalizers(
  mesh: SeenMesh,
  nodes: readonly ClusterNode[],
): readonly string[] | undefined {
  const { finalizers = [], deletionTimestamp } = mesh.metadata;
  const has = finalizers.includes(FINALIZER);
  const held = nodes.some((node) => notOff(node) !== undefined && !isPassedOver(mesh, node));
  const wished = mesh.invalid !== undefined || driverOf(mesh) !== 'none' || held;
  if (has && !wished) return finalizers.filter((name) => name !== FINALIZER);
  // The API server takes no new ones of what is being deleted.
  if (!has && wished && deletionTimestamp === undefined) return [...finalizers, FINALIZER];
  return undefined;
}

function isPassedOver({ wish }: SeenMesh, { name }: ClusterNode): boolean {
  return wish.rotation?.passOver?.includes(name) === true;
}

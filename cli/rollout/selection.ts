/** Whom a wish would take in and leave out. Pure. */
import type { Spec } from '../../operator/config/schema.ts';
import { type Snapshot, selected } from './cluster.ts';

const NO_MESH = {
  apiVersion: 'sheath.dev/v1alpha1',
  kind: 'EncryptionMesh',
  metadata: { name: 'default' },
  spec: {},
} as const;

export function wished(snapshot: Snapshot, wish: Spec) {
  const mesh = snapshot.mesh ?? NO_MESH;
  return { ...snapshot, mesh: { ...mesh, spec: { ...mesh.spec, ...wish } } };
}

/** `2 of 4 Nodes`. */
export function members(snapshot: Snapshot, wish: Spec): string {
  return `${selected(wished(snapshot, wish)).length} of ${snapshot.nodes.length} Nodes`;
}

/** Names of those that hold keys now, and would take no part any more. */
export function leftOut(snapshot: Snapshot, wish: Spec): readonly string[] {
  const stay = new Set(selected(wished(snapshot, wish)).map(({ name }) => name));
  return selected(snapshot)
    .filter(({ name, record }) => record.generations.length > 0 && !stay.has(name))
    .map(({ name }) => name);
}

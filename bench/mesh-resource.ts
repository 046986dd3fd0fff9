/** The EncryptionMesh of a bench. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiTarget, call, send } from '../lab/api-client.ts';
import { encryptionMeshCRD } from '../operator/config/crd.ts';
import { type EncryptionMesh, MESH, MESHES } from '../operator/config/resource.ts';
import type { Spec } from '../operator/config/schema.ts';

/** Its definition, the resource, and the namespace of the Lease. */
export async function installMesh(target: ApiTarget, spec: Spec): Promise<void> {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sheath-system' } };
  await call(target, { method: 'POST', path: '/api/v1/namespaces', body: namespace });
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await call(target, { method: 'POST', path: definitions, body: encryptionMeshCRD() });
  while ((await send(target, { path: MESHES })).status !== 200) await sleep(100);
  const body = {
    apiVersion: 'sheath.dev/v1alpha1',
    kind: 'EncryptionMesh',
    metadata: { name: 'default' },
    spec,
  };
  await call(target, { method: 'POST', path: MESHES, body });
}

export async function readMesh(target: ApiTarget): Promise<EncryptionMesh> {
  return (await call(target, { path: MESH })) as EncryptionMesh;
}

export async function setSpec(target: ApiTarget, spec: Spec): Promise<void> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  await call(target, { method: 'PATCH', path: MESH, body: { spec }, headers });
}

/** @throws Error after three minutes */
export async function untilMesh(
  target: ApiTarget,
  what: string,
  good: (mesh: EncryptionMesh) => boolean,
): Promise<void> {
  const deadline = performance.now() + 180_000;
  while (!good(await readMesh(target))) {
    if (performance.now() > deadline) throw new Error(`not within three minutes: ${what}`);
    await sleep(100);
  }
}

/** The EncryptionMesh of a lab whose agents follow it; on a real API server its kind too, and the namespace of the controller's Lease. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Encryption } from '../../mesh/types.ts';
import { encryptionMeshCRD } from '../../operator/config/crd.ts';
import { MESH, MESHES } from '../../operator/config/resource.ts';
import type { Spec } from '../../operator/config/schema.ts';
import { NAMESPACE } from '../../operator/manifests/names.ts';
import { ApiError, type ApiTarget, apiTarget, call, send } from '../api-client.ts';
import { LabError } from '../errors.ts';
import type { Lab } from './folder.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** On what a lab made; its value is the name of the lab. */
export const LAB_LABEL = 'sheath.dev/lab';
/** Nobody waits three minutes for a rotation in a lab. */
const DRAIN = '5s';

/** Makes it, for agents that read it. @throws LabError `LAB_MESH_TAKEN` where there is one of somebody else */
export async function createMesh(lab: Lab): Promise<void> {
  const target = await apiTarget(lab.kubeconfig);
  // Where the controller's Lease is.
  await call(target, { method: 'POST', path: '/api/v1/namespaces', body: namespace(lab) }).catch(unlessThere);
  if (lab.spec.kubeconfig !== undefined) await installKind(lab, target);
  const spec: Spec = { encryption: lab.spec.encryption, rotation: { drain: DRAIN } };
  await applyMesh(lab, target, spec);
}

/** Writes these fields; all others that the lab wrote before are gone. */
export async function applyMesh(lab: Lab, target: ApiTarget, spec: Spec): Promise<void> {
  await call(target, {
    method: 'PATCH',
    path: `${MESH}?fieldManager=sheath-lab&force=true`,
    body: {
      apiVersion: 'sheath.dev/v1alpha1',
      kind: 'EncryptionMesh',
      metadata: { name: 'default', labels: { [LAB_LABEL]: lab.name } },
      spec,
    },
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
}

/** As it is written now, in whatever way. */
export async function meshSpec(target: ApiTarget): Promise<Spec> {
  // Read from a server that checked it.
  return ((await call(target, { path: MESH })) as { spec: Spec }).spec;
}

/** What the agents of the lab are told now. */
export async function currentEncryption(lab: Lab): Promise<Encryption> {
  if (lab.spec.through === 'flag') return lab.spec.encryption;
  const target = await apiTarget(lab.kubeconfig);
  const spec = await meshSpec(target).catch((error: unknown) => {
    // As after 'sheath uninstall'.
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  });
  return spec?.encryption ?? 'none';
}

async function installKind(lab: Lab, target: ApiTarget): Promise<void> {
  const { status } = await send(target, { path: MESHES });
  if (status === 200) return await requireOwn(lab, target);
  const crd = encryptionMeshCRD();
  const labelled = { ...crd, metadata: { ...crd.metadata, labels: { [LAB_LABEL]: lab.name } } };
  await call(target, { method: 'POST', path: CRDS, body: labelled });
  while ((await send(target, { path: MESHES })).status !== 200) await sleep(50);
}

async function requireOwn(lab: Lab, target: ApiTarget): Promise<void> {
  const mesh = (await call(target, { path: MESH }).catch(unlessGone)) as
    | { metadata?: { labels?: Record<string, string> } }
    | undefined;
  const owner = mesh?.metadata?.labels?.[LAB_LABEL];
  if (mesh === undefined || owner === lab.name) return;
  const whose = owner === undefined ? 'no lab made it' : `it is of the lab "${owner}"`;
  throw new LabError(
    'LAB_MESH_TAKEN',
    `this API server has an EncryptionMesh already, and ${whose}: take another server, or tell the agents by flag (--through flag)`,
  );
}

/** Deletes what this lab made of it on a real API server, with its kind where that was the lab's too. */
export async function deleteMesh(lab: Lab): Promise<void> {
  if (lab.spec.through === 'flag') return;
  const target = await apiTarget(lab.spec.kubeconfig ?? lab.kubeconfig);
  const patch = { metadata: { finalizers: null } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  await call(target, { method: 'PATCH', path: MESH, body: patch, headers }).catch(unlessGone);
  await call(target, { method: 'DELETE', path: MESH }).catch(unlessGone);
  for (const path of [`${CRDS}/encryptionmeshes.sheath.dev`, `/api/v1/namespaces/${NAMESPACE}`]) {
    const found = (await call(target, { path }).catch(unlessGone)) as
      | { metadata: { labels?: Record<string, string> } }
      | undefined;
    if (found?.metadata.labels?.[LAB_LABEL] === lab.name)
      await call(target, { method: 'DELETE', path }).catch(unlessGone);
  }
}

function namespace(lab: Lab) {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { [LAB_LABEL]: lab.name } },
  };
}

function unlessThere(error: unknown): void {
  if (!(error instanceof ApiError) || error.status !== 409) throw error;
}

function unlessGone(error: unknown): undefined {
  if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
  return undefined;
}

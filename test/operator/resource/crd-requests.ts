/** What the tests of the CRD ask the API server for. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type ApiTarget, call, send } from '../../../lab/api-client.ts';
import { encryptionMeshCRD } from '../../../operator/config/crd.ts';
import { MESH, MESHES } from '../../../operator/config/resource.ts';
import { envtestFolder, type KubeApiserver } from '../../support/kube-apiserver.ts';
import type { Written } from './samples.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const STRICT = 'fieldValidation=Strict&fieldManager=test';

interface Answer {
  readonly status: number;
  readonly message: string;
  readonly spec: unknown;
}

async function answered(target: ApiTarget, request: Parameters<typeof send>[1]): Promise<Answer> {
  const answer = await send(target, request);
  const { message, spec } = JSON.parse(answer.bytes.toString()) as { message?: string; spec?: unknown };
  return { status: answer.status, message: message ?? '', spec };
}

function object(spec: Written, name = 'default'): object {
  return { apiVersion: 'sheath.dev/v1alpha1', kind: 'EncryptionMesh', metadata: { name }, spec };
}

/** Whether it would be taken. */
export function tried(target: ApiTarget, spec: Written, { name = 'default' } = {}): Promise<Answer> {
  return answered(target, {
    method: 'POST',
    path: `${MESHES}?${STRICT}&dryRun=All`,
    body: object(spec, name),
  });
}

export async function create(target: ApiTarget, spec: Written): Promise<void> {
  await call(target, { method: 'POST', path: MESHES, body: object(spec) });
}

export function merged(target: ApiTarget, body: object, path = MESH): Promise<Answer> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  return answered(target, { method: 'PATCH', path, body, headers });
}

export async function mesh(
  target: ApiTarget,
): Promise<{ readonly spec: unknown; readonly status?: unknown }> {
  return (await call(target, { path: MESH })) as { spec: unknown; status?: unknown };
}

interface Crd {
  readonly metadata: { readonly generation: number };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

export async function applyCrd(target: ApiTarget): Promise<Crd> {
  const crd = encryptionMeshCRD();
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const path = `${CRDS}/${crd.metadata.name}?${STRICT}`;
  return (await call(target, { method: 'PATCH', path, body: crd, headers })) as Crd;
}

export async function getCrd(target: ApiTarget): Promise<Crd> {
  return (await call(target, { path: `${CRDS}/${encryptionMeshCRD().metadata.name}` })) as Crd;
}

export async function established(target: ApiTarget): Promise<void> {
  while ((await send(target, { path: MESHES })).status !== 200) await sleep(50);
}

export async function kubectl(server: KubeApiserver, ...words: readonly string[]): Promise<string> {
  const program = join(await envtestFolder(), 'kubectl');
  const { stdout } = await promisify(execFile)(program, ['--kubeconfig', server.kubeconfigPath, ...words]);
  return stdout;
}

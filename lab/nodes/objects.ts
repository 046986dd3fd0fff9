/**
 * What a lab makes in its API: a Node for each of its nodes, and the EncryptionMesh. In a real API server there are Nodes of
 * others: only what has the lab's label is the lab's.
 */
import { ApiError, type ApiTarget, apiTarget, call } from '../api-client.ts';
import { LabError } from '../errors.ts';
import { createNode, type NodeObject } from '../node-objects.ts';
import type { Lab } from './folder.ts';
import { createMesh, deleteMesh, LAB_LABEL } from './mesh.ts';
import type { Topology } from './topology.ts';

const ANSWER_WITHIN_MS = 10_000;

/** Throws `LAB_NODE_TAKEN` when somebody else has a Node of a name that the lab needs. */
export async function requireFreeNames(target: ApiTarget, topology: Topology): Promise<void> {
  const names = new Set(topology.members.map(({ name }) => name));
  const taken = (await listNodes(target)).find(
    ({ metadata }) => names.has(metadata.name) && metadata.labels?.[LAB_LABEL] !== topology.name,
  );
  if (taken) throw takenError(taken);
}

/** Creates the Nodes anew, in place of what a lab of this name left behind. Throws `LAB_NODE_TAKEN`. */
export async function createObjects(lab: Lab): Promise<void> {
  const target = await apiTarget(lab.kubeconfig);
  await requireFreeNames(target, lab.topology);
  await deleteLabelled(target, lab.name);
  const labels = { [LAB_LABEL]: lab.name };
  for (const { name, podCIDRs, addresses } of lab.topology.members) {
    await createNode(target, { name, podCIDRs, addresses, labels });
  }
  if (lab.spec.through === 'resource') await createMesh(lab);
}

/** Deletes the lab's Nodes, and nobody else's. Throws `LAB_NODES_LEFT` when the API server does not do it. */
export async function deleteObjects(lab: Lab): Promise<void> {
  const file = lab.spec.kubeconfig ?? lab.kubeconfig;
  try {
    await deleteMesh(lab);
    await deleteLabelled(await apiTarget(file).catch(() => apiTarget(lab.kubeconfig)), lab.name);
  } catch (cause) {
    throw new LabError(
      'LAB_NODES_LEFT',
      `the Nodes of the lab "${lab.name}" may still be there: kubectl --kubeconfig ${file} delete nodes -l ${LAB_LABEL}=${lab.name}`,
      { cause },
    );
  }
}

async function deleteLabelled(target: ApiTarget, lab: string): Promise<void> {
  for (const { metadata } of await listNodes(target, `?labelSelector=${LAB_LABEL}%3D${lab}`)) {
    await call(target, {
      method: 'DELETE',
      path: `/api/v1/nodes/${metadata.name}`,
      // Somebody may have put another Node of that name there since.
      body: { preconditions: { uid: metadata.uid } },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    }).catch(unlessGone);
  }
}

async function listNodes(target: ApiTarget, query = ''): Promise<readonly NodeObject[]> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const list = await call(target, { path: `/api/v1/nodes${query}`, signal });
  return (list as { items: readonly NodeObject[] }).items;
}

function takenError({ metadata: { name, labels } }: NodeObject): LabError {
  const other = labels?.[LAB_LABEL];
  const message =
    other === undefined
      ? `there is a Node ${name} already, and no lab made it: take an API server without one, or leave --kubeconfig out`
      : `the Node ${name} is of the lab "${other}": end that with 'sheath lab down --name ${other}'`;
  return new LabError('LAB_NODE_TAKEN', message);
}

function unlessGone(error: unknown): void {
  if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
}

/** Node objects as a kubelet and a controller manager would leave them. */
import { type ApiTarget, call } from './api-client.ts';

export interface NodeSpec {
  readonly name: string;
  readonly podCIDRs: readonly string[];
  /** `status.addresses` of type InternalIP. */
  readonly addresses: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The parts of a Node object that the lab and the tests look at. */
export interface NodeObject {
  readonly apiVersion: 'v1';
  readonly kind: 'Node';
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly podCIDR?: string; readonly podCIDRs?: readonly string[] };
  readonly status: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

export function nodeManifest(spec: NodeSpec): Record<string, unknown> {
  const [podCIDR] = spec.podCIDRs;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: spec.name,
      labels: { 'kubernetes.io/hostname': spec.name, 'kubernetes.io/os': 'linux', ...spec.labels },
      ...(spec.annotations && { annotations: spec.annotations }),
    },
    spec: { ...(podCIDR !== undefined && { podCIDR, podCIDRs: spec.podCIDRs }) },
    status: {
      addresses: [
        ...spec.addresses.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: spec.name },
      ],
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
    },
  };
}

/** Creates the Node with its spec and status. Throws `ApiError` with status 409 when there is one. */
export async function createNode(target: ApiTarget, spec: NodeSpec): Promise<NodeObject> {
  const body = nodeManifest(spec);
  return (await call(target, { method: 'POST', path: '/api/v1/nodes', body })) as NodeObject;
}

export async function getNode(target: ApiTarget, name: string): Promise<NodeObject> {
  return (await call(target, { path: `/api/v1/nodes/${name}` })) as NodeObject;
}

export async function listNodes(target: ApiTarget): Promise<readonly NodeObject[]> {
  const { items } = (await call(target, { path: '/api/v1/nodes' })) as { items: readonly NodeObject[] };
  return items;
}

export async function deleteNode(target: ApiTarget, name: string): Promise<void> {
  await call(target, { method: 'DELETE', path: `/api/v1/nodes/${name}` });
}

/** Sets annotations by merge patch, as `kubectl annotate` does; `null` removes one. */
export async function annotateNode(
  target: ApiTarget,
  name: string,
  annotations: Readonly<Record<string, string | null>>,
): Promise<NodeObject> {
  return (await call(target, {
    method: 'PATCH',
    path: `/api/v1/nodes/${name}`,
    body: { metadata: { annotations } },
    headers: { 'content-type': 'application/merge-patch+json' },
  })) as NodeObject;
}

/** A real API server with simulated Nodes, as large as kubelets make them. */
import { type ApiTarget, call } from '../lab/api-client.ts';
import { nodeManifest } from '../lab/node-objects.ts';
import { addressesOf, annotationsOf, nodeName, prefixesOf, SELF } from './cluster.ts';

/** Requests under way at a time. */
const AT_ONCE = 4;

export type Annotations = (i: number) => Record<string, string>;

/** Creates the Nodes `from` to `to` - 1; the one whose agent runs has no annotations yet. */
export async function createNodes(
  target: ApiTarget,
  from: number,
  to: number,
  annotations: Annotations = annotationsOf,
): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + index).values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const i of numbers) await createNode(target, i, annotations);
    }),
  );
}

export async function createNode(
  target: ApiTarget,
  i: number,
  annotations: Annotations = annotationsOf,
): Promise<void> {
  const manifest = nodeManifest({
    name: nodeName(i),
    podCIDRs: prefixesOf(i),
    addresses: addressesOf(i),
    ...(i !== SELF && { annotations: annotations(i) }),
  });
  const body = { ...manifest, status: { ...(manifest.status as object), ...kubeletStatus(i) } };
  await call(target, { method: 'POST', path: '/api/v1/nodes', body });
}

/** What a kubelet says every five minutes where nothing changed, and what it fills a Node with. */
export function heartbeat(target: ApiTarget, i: number): Promise<unknown> {
  return call(target, {
    method: 'PATCH',
    path: `/api/v1/nodes/${nodeName(i)}/status`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { status: { conditions: conditions() } },
  });
}

function conditions() {
  const lastHeartbeatTime = new Date().toISOString().replace(/\.\d+/, '');
  return ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
    type,
    status: type === 'Ready' ? 'True' : 'False',
    lastHeartbeatTime,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: `KubeletHas${type}`,
    message: `kubelet has posted its ${type} status`,
  }));
}

/** Fifty images with a digest and a tag each: what most of a Node's 15 KB is. */
function kubeletStatus(i: number) {
  const images = Array.from({ length: 50 }, (_, n) => ({
    names: [
      `registry.example.com/team-${n % 7}/service-${n}@sha256:${String(n * 7919 + i).padStart(64, 'a')}`,
      `registry.example.com/team-${n % 7}/service-${n}:v1.${n}.${i % 10}`,
    ],
    sizeBytes: 50_000_000 + n * 1_234_567,
  }));
  const resources = { cpu: '8', memory: '32Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  return { conditions: conditions(), images, capacity: resources, allocatable: resources };
}

import { apiTarget, call } from '../../../lab/api-client.ts';
import type { LabPod } from '../../../lab/nodes/topology.ts';
import type { Mesh } from '../mesh/mesh.ts';

const PODS = '/api/v1/namespaces/default/pods';

/** A pod object as a kubelet reports it; no kubelet is needed. */
export async function createPod(
  mesh: Mesh,
  { name, node, addresses }: Pick<LabPod, 'name' | 'node' | 'addresses'>,
): Promise<void> {
  const target = await apiTarget(mesh.server.kubeconfigPath);
  const spec = { nodeName: node, containers: [{ name: 'c', image: 'i' }] };
  await call(target, {
    method: 'POST',
    path: PODS,
    body: { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec },
  });
  await call(target, {
    method: 'PATCH',
    path: `${PODS}/${name}/status`,
    body: { status: { phase: 'Running', podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
}

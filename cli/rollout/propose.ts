/** What `clusterPrefixes` could be, from the ranges that the Nodes have now. */
import { familyOfPrefix, firstAddress, lengthOf, networkOf } from '../../mesh/prefix.ts';
import type { Family, Prefix } from '../../mesh/types.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { NODES, parseNode } from '../../operator/kube/node.ts';

/** The usual sizes of clusters' ranges: kubeadm, k3s and kind use /16, dual stack /48 or /56. */
const USUAL: Readonly<Record<Family, readonly number[]>> = { 4: [16, 14, 12, 10, 8], 6: [56, 48, 40, 32] };

/** One prefix a family that holds all `spec.podCIDRs`; none where no Node has any. @throws KubeError */
export async function proposeClusterPrefixes(client: KubeClient): Promise<readonly Prefix[]> {
  const found: Prefix[] = [];
  for await (const { items } of client.list(NODES, { limit: 500 }))
    for (const item of items) found.push(...parseNode(item).podCIDRs);
  return covering(found);
}

/** The smallest usual range that holds all of a family. Pure. */
export function covering(prefixes: readonly Prefix[]): readonly Prefix[] {
  return ([4, 6] as const).flatMap((family) => {
    const ours = prefixes.filter((prefix) => familyOfPrefix(prefix) === family);
    if (ours.length === 0) return [];
    for (const length of USUAL[family]) {
      const [range, ...others] = new Set(ours.map((prefix) => widened(prefix, length)));
      if (range !== undefined && others.length === 0) return [range];
    }
    return ours;
  });
}

function widened(prefix: Prefix, length: number): Prefix | undefined {
  return lengthOf(prefix) < length ? undefined : networkOf(`${firstAddress(prefix)}/${length}`);
}

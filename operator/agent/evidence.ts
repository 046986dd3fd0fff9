/** What the API server vouches for about Nodes whose claims contend: read when a plan asks for it, and kept. */
import type { PublicKey } from '../../keys/generation.ts';
import type { Evidence, NodeRecord, VouchedNode } from '../../mesh/types.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { nodePath, parseNode } from '../kube/node.ts';

/** Milliseconds: a plan that waits for evidence is worked out without it then. */
const PATIENCE = 2_000;
/** How many Nodes are read at once. */
const AT_ONCE = 4;

export const NO_EVIDENCE: Evidence = { nodes: new Map(), keyHolders: new Map() };

/** Evidence with what could be read of these Nodes; the same value when nothing could. */
export async function readEvidence(
  client: KubeClient,
  names: readonly string[],
  evidence: Evidence,
): Promise<Evidence> {
  const nodes = new Map<string, VouchedNode>();
  const signal = AbortSignal.timeout(PATIENCE);
  const queue = [...names];
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      try {
        const { uid, podCIDRs, addresses } = parseNode(await client.get(nodePath(name), { signal }));
        nodes.set(uid, { podCIDRs, addresses });
      } catch (error) {
        // One that is gone is soon gone from the records too.
        if (!(error instanceof KubeError && error.code === 'NOT_FOUND')) return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, worker));
  return nodes.size === 0 ? evidence : { ...evidence, nodes: new Map([...evidence.nodes, ...nodes]) };
}

/** Without Nodes that are gone; the same value when there are none. */
export function forgetGone(evidence: Evidence, records: readonly NodeRecord[]): Evidence {
  const { nodes, keyHolders } = evidence;
  if (nodes.size === 0 && keyHolders.size === 0) return evidence;
  const uids = new Set(records.map((record) => record.uid));
  const gone = [...nodes.keys(), ...keyHolders.values()].some((uid) => !uids.has(uid));
  if (!gone) return evidence;
  return {
    nodes: new Map([...nodes].filter(([uid]) => uids.has(uid))),
    keyHolders: new Map<PublicKey, string>([...keyHolders].filter(([, uid]) => uids.has(uid))),
  };
}

/** What follows from what the Nodes published, whoever answers: `plan()` of `mesh/`, from each node's place. */
import { plan } from '../../mesh/plan.ts';
import type { Evidence, MeshConfig, MeshPlan, NodeRecord, PeerPlan, Refusal } from '../../mesh/types.ts';
import { resolveConfig } from '../../operator/config/resolve.ts';
import type { Spec } from '../../operator/config/schema.ts';
import { agentPeers, type PeerRow } from '../format/peers.ts';
import { isClaim, refusedClaims } from '../format/refusals.ts';
import type { Cluster, ClusterNode } from './cluster.ts';

/** The Nodes' specs are not read here: a claim that only they decide shows as refused, with its reason. */
const NO_EVIDENCE: Evidence = { nodes: new Map(), keyHolders: new Map(), endpointHolders: new Map() };

/** What one node would hold of the others, were it up to date. */
export function planOf(self: NodeRecord, cluster: Cluster): MeshPlan {
  const records = cluster.nodes.map(({ record }) => record);
  return plan({ self, records, config: configOf(self, cluster), evidence: NO_EVIDENCE });
}

/** The settings of a node that nobody could ask: the resource, the defaults, and what its record tells. */
function configOf(record: NodeRecord, { spec }: Cluster): MeshConfig {
  const mesh = resolved(spec);
  const newest = record.generations.at(-1);
  return { ...mesh, encryption: newest?.driver ?? 'none', generation: newest?.number ?? mesh.generation };
}

function resolved(spec: Spec | undefined): MeshConfig {
  if (spec === undefined) return resolveConfig([]).mesh;
  try {
    return resolveConfig([{ source: 'resource', spec, nameOf: (path) => path }]).mesh;
  } catch {
    // What this version cannot follow, the agents of this version do not follow either.
    return resolveConfig([]).mesh;
  }
}

/**
 * Claims that are refused, whoever looks: as two nodes would decide, one of which is not the claimant. One of each node and code,
 * sorted. What an agent says that it refuses is its word, not known here: it is shown with its name, among what it answers.
 */
export function refusals(cluster: Cluster): readonly Refusal[] {
  const seen = new Map<string, Refusal>();
  const decided = publishers(cluster)
    .slice(0, 2)
    .flatMap(({ record }) => planOf(record, cluster).refused);
  for (const refusal of decided) {
    if (!isClaim(refusal)) continue;
    const key = `${refusal.node} ${refusal.code}`;
    if (!seen.has(key)) seen.set(key, refusal);
  }
  return [...seen.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, refusal]) => refusal);
}

/** Nodes that published a key. */
export function publishers(cluster: Cluster): readonly ClusterNode[] {
  return cluster.nodes.filter(({ record }) => record.generations.length > 0);
}

/** The peers of every node: as its agent says, else as they would be, in state `unknown`. */
export function clusterPeers(cluster: Cluster): readonly PeerRow[] {
  return cluster.nodes.flatMap(({ node, record, agent }) => {
    if (agent.answered) return agentPeers(agent.status);
    if (record.generations.length === 0) return [];
    const { peers, refused } = planOf(record, cluster);
    return peers.map((peer) => ({
      ...plannedRow(node, peer, cluster.now),
      ...refusedClaims(peer.node, refused),
    }));
  });
}

function plannedRow(seenBy: string, peer: PeerPlan, now: number): PeerRow {
  const link = peer.links.at(-1);
  return {
    seenBy,
    node: peer.node,
    state: 'unknown',
    since: now,
    endpoint: peer.endpoint,
    receivedBytes: 0,
    sentBytes: 0,
    ...(link === undefined
      ? {}
      : { generation: link.generation, driver: link.driver, publicKey: link.publicKey }),
  };
}

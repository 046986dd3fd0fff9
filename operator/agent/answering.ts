/**
 * Of two Nodes that the API server vouches for at one address, the one that answers there keeps it: whoever owns a kubelet may name
 * another node's address as its own, but no packet of its key comes from there.
 */
import type { Address, MeshPlan, PeerStatus } from '../../mesh/types.ts';

export interface AnsweringInput {
  /** In which the contention appears. */
  readonly plan: MeshPlan;
  /** The plan before that, which the statuses are of; undefined at the start. */
  readonly inForce: MeshPlan | undefined;
  readonly statuses: ReadonlyMap<string, PeerStatus>;
  readonly holders: ReadonlyMap<Address, string>;
}

/**
 * Who answered at an address before another Node claimed it holds it from the first plan on. Where several seem to, it is the one
 * in force: a single packet with a forged source is no proof against it. Returns the same map when nothing changed.
 */
export function keepAnswering({
  plan,
  inForce,
  statuses,
  holders,
}: AnsweringInput): ReadonlyMap<Address, string> {
  const kept = new Map<Address, string>();
  const answers = (node: string | undefined, address: Address) =>
    node !== undefined && statuses.get(node)?.answersAt === address;
  for (const { code, node, uid, endpoint, inFavourOf } of plan.refused) {
    if (code !== 'ENDPOINT_CLAIMED' || endpoint === undefined || holders.has(endpoint)) continue;
    if (!answers(node, endpoint)) continue;
    const stands = inForce?.peers.some((peer) => peer.uid === uid && peer.addresses.includes(endpoint));
    const alone = !kept.has(endpoint) && !answers(inFavourOf, endpoint);
    if (stands === true || alone) kept.set(endpoint, uid);
  }
  return kept.size === 0 ? holders : new Map([...holders, ...kept]);
}

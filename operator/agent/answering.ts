/**
 * Of two Nodes that the API server vouches for at one address, the one that answers there keeps it: whoever owns a kubelet may name
 * another node's address as its own, but no packet of its key comes from there.
 */
import type { Address, MeshPlan, NodeRecord, Observation, PeerStatus } from '../../mesh/types.ts';

/** Whether a node answers at an address. */
export type Answers = (node: string, address: Address) => boolean;

export interface AnsweringInput {
  /** In which the contention appears. */
  readonly plan: MeshPlan;
  /** The plan before that; undefined at the start. */
  readonly inForce: MeshPlan | undefined;
  readonly answers: Answers;
  readonly holders: ReadonlyMap<Address, string>;
}

/**
 * Who answered at an address before another Node claimed it holds it from the first plan on. Where several seem to, it is the one
 * in force: a single packet with a forged source is no proof against it. Returns the same map when nothing changed.
 */
export function keepAnswering({
  plan,
  inForce,
  answers,
  holders,
}: AnsweringInput): ReadonlyMap<Address, string> {
  const kept = new Map<Address, string>();
  for (const { node, uid, endpoint, inFavourOf } of plan.refused) {
    if (endpoint === undefined || holders.has(endpoint) || !answers(node, endpoint)) continue;
    const stands = inForce?.peers.some((peer) => peer.uid === uid && peer.addresses.includes(endpoint));
    const alone = !kept.has(endpoint) && (inFavourOf === undefined || !answers(inFavourOf, endpoint));
    if (stands === true || alone) kept.set(endpoint, uid);
  }
  return kept.size === 0 ? holders : new Map([...holders, ...kept]);
}

export function claimsEndpoints({ refused }: MeshPlan): boolean {
  return refused.some(({ endpoint }) => endpoint !== undefined);
}

export function answersBy(statuses: ReadonlyMap<string, PeerStatus>): Answers {
  return (node, address) => statuses.get(node)?.answersAt === address;
}

/** As a former agent left it: by the keys that the Nodes publish. */
export function answersFound(observations: readonly Observation[], records: readonly NodeRecord[]): Answers {
  const keys = new Map(records.map(({ name, generations }) => [name, generations]));
  const proved = observations.filter(({ lastHandshake }) => lastHandshake !== undefined);
  return (node, address) =>
    proved.some(
      ({ publicKey, endpoint }) =>
        endpoint?.address === address &&
        keys.get(node)?.some((generation) => generation.publicKey === publicKey) === true,
    );
}

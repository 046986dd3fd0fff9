/**
 * What was planned and what was seen to how each peer stands.
 *
 *   configured    in the kernel, no handshake yet
 *   established   a handshake was seen on a link: it may have a route
 *   routed        it has one
 *   degraded      it had proved itself and does so no more: keeps its route
 *
 * A handshake that is found counts, however the agent came to know of the peer: so a restarted agent takes over what works. Idle is
 * not down: WireGuard renews a session only when there is something to send. IPsec has a session or none: charon asks whoever is silent
 * whether it lives, and gives it up; what is sent and not answered says nothing.
 */
import type { PublicKey } from '../keys/generation.ts';
import { compareText } from './address.ts';
import { type Scene, type Seen, type StatusInput, type View, viewOf } from './peer-view.ts';
import { refusedStatus } from './refused-status.ts';
import type { Address, MeshPlan, Observation, PeerPlan, PeerState, PeerStatus } from './types.ts';
import { judge } from './verdict.ts';

export type { StatusInput } from './peer-view.ts';

/** By node name, sorted. One for every other Node in the plan: its peers, and those it refuses whole. */
export function peerStatuses(input: StatusInput): ReadonlyMap<string, PeerStatus> {
  const { plan, previous, now } = input;
  const claimed = plan.refused.flatMap(({ code, publicKey }) =>
    code === 'KEY_CLAIMED' && publicKey ? [publicKey] : [],
  );
  const scene: Scene = {
    ...input,
    seen: byDevice(input.observations),
    contended: new Set(claimed),
    receiving: plan.devices.filter(({ receiveOnly }) => receiveOnly).map(({ name }) => name),
  };
  const statuses = plan.peers.map((peer) => peerStatus(scene, peer));
  const refused = refusedWhole(plan);
  for (const snapshot of refused)
    statuses.push({ ...snapshot, since: sinceOf(snapshot.state, previous.get(snapshot.node), now) });
  if (refused.length > 0) statuses.sort((a, b) => compareText(a.node, b.node));
  const byNode = new Map<string, PeerStatus>();
  for (const status of statuses) byNode.set(status.node, status);
  return byNode;
}

function byDevice(observations: readonly Observation[]): Seen {
  const seen = { sheath0: new Map<PublicKey, Observation>(), sheath1: new Map<PublicKey, Observation>() };
  for (const observation of observations) seen[observation.device].set(observation.publicKey, observation);
  return seen;
}

function refusedWhole({ peers, refused }: MeshPlan): readonly Snapshot[] {
  if (refused.length === 0) return [];
  const planned = new Set(peers.map(({ node }) => node));
  const others = Map.groupBy(
    refused.filter(({ node }) => !planned.has(node)),
    ({ node }) => node,
  );
  return Array.from(others, ([node, refusals]) => refusedStatus(node, refusals));
}

/** A status but for the time at which it began. */
export type Snapshot = Omit<PeerStatus, 'since'>;

function sinceOf(state: PeerState, last: PeerStatus | undefined, now: number): number {
  return last?.state === state ? last.since : now;
}

/** Field by field, and no spread: this is made anew for every peer at every look. */
function peerStatus(scene: Scene, peer: PeerPlan): PeerStatus {
  const view = viewOf(scene, peer);
  const { link, seen, last, unansweredSince } = view;
  const { state, reason, keptUntil } = judge(scene, view);
  const mtu = scene.deviceMtu.get(link.device);
  const status: { -readonly [field in keyof PeerStatus]: PeerStatus[field] } = {
    node: peer.node,
    state,
    since: sinceOf(state, last, scene.now),
    generation: link.generation,
    driver: link.driver,
    endpoint: endpointText(view),
    publicKey: link.publicKey,
    receivedBytes: seen?.receivedBytes ?? 0,
    sentBytes: seen?.sentBytes ?? 0,
  };
  if (seen?.lastHandshake !== undefined) status.lastHandshake = seen.lastHandshake;
  const answersAt = provedAddress(view);
  if (answersAt !== undefined) status.answersAt = answersAt;
  if (seen !== undefined) status.observedAt = scene.now;
  if (seen?.security !== undefined) status.security = seen.security;
  if (mtu !== undefined) status.mtu = mtu;
  if (unansweredSince !== undefined) status.unansweredSince = unansweredSince;
  if (view.on.length > 0) status.established = view.on;
  if (keptUntil !== undefined) status.routeKeptUntil = keptUntil;
  if (reason !== undefined) status.reason = reason;
  return status;
}

/**
 * An endpoint that we wrote proves nothing before a packet came from it: WireGuard counts it when a handshake was made since a look that
 * saw it already. What a former agent left is believed; IPsec's is the address that the handshake was made with.
 */
function provedAddress(view: View): Address | undefined {
  const { link, seen, established, last, before } = view;
  const address = seen?.endpoint?.address;
  if (!established || seen?.lastHandshake === undefined || address === undefined) return undefined;
  if (link.driver === 'ipsec' || last === undefined || last.answersAt === address) return address;
  const renewed = before !== undefined && seen.lastHandshake > (before.observedAt ?? 0);
  return renewed && before.endpoint === endpointText(view) ? address : undefined;
}

function endpointText({ peer, link, seen }: View): string {
  const { address, port } = seen?.endpoint ?? { address: peer.endpoint, port: link.port };
  const host = address.includes(':') ? `[${address}]` : address;
  return port === 0 ? host : `${host}:${port}`;
}

/**
 * What was planned and what was seen to how each peer stands.
 *
 *   configured    in the kernel, no handshake yet
 *   established   a handshake was seen on a link: it may have a route
 *   routed        it has one
 *   degraded      it had proved itself and does so no more: keeps its route
 *
 * A handshake that is found counts, however the agent came to know of the peer: so a restarted agent takes over what works. Idle is
 * not down: WireGuard renews a session only when there is something to send.
 */
import type { PublicKey } from '../keys/generation.ts';
import { compareText } from './address.ts';
import { refusedStatus } from './refused-status.ts';
import type {
  DeviceName,
  MeshPlan,
  Observation,
  PeerLink,
  PeerPlan,
  PeerState,
  PeerStatus,
  Problem,
} from './types.ts';
import { KEEPALIVE_SIZE, STALE_AFTER, UNANSWERED_AFTER, WIREGUARD_TIMES } from './wireguard-times.ts';

export interface StatusInput {
  readonly plan: MeshPlan;
  /** What the last call returned; empty at the start. */
  readonly previous: ReadonlyMap<string, PeerStatus>;
  readonly observations: readonly Observation[];
  /** Names of the Nodes whose routes are in the kernel. */
  readonly routed: ReadonlySet<string>;
  readonly deviceMtu: ReadonlyMap<DeviceName, number>;
  /** When the observations were read, in milliseconds since the epoch. */
  readonly now: number;
}

/** By node name, sorted. One for every other Node in the plan: its peers, and those it refuses whole. */
export function peerStatuses(input: StatusInput): ReadonlyMap<string, PeerStatus> {
  const { plan, previous, now } = input;
  const claimed = plan.refused.flatMap(({ code, publicKey }) =>
    code === 'KEY_CLAIMED' && publicKey ? [publicKey] : [],
  );
  const scene: Scene = { ...input, seen: byDevice(input.observations), contended: new Set(claimed) };
  const statuses = plan.peers.map((peer) => peerStatus(scene, peer));
  const refused = refusedWhole(plan);
  for (const snapshot of refused)
    statuses.push({ ...snapshot, since: sinceOf(snapshot.state, previous.get(snapshot.node), now) });
  if (refused.length > 0) statuses.sort((a, b) => compareText(a.node, b.node));
  const byNode = new Map<string, PeerStatus>();
  for (const status of statuses) byNode.set(status.node, status);
  return byNode;
}

type Seen = Readonly<Record<DeviceName, ReadonlyMap<PublicKey, Observation>>>;

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

interface Scene extends StatusInput {
  readonly seen: Seen;
  /** Keys that several Nodes publish: a handshake proves something only when it comes from where the record says. */
  readonly contended: ReadonlySet<PublicKey>;
}

/** A status but for the time at which it began. */
export type Snapshot = Omit<PeerStatus, 'since'>;

function sinceOf(state: PeerState, last: PeerStatus | undefined, now: number): number {
  return last?.state === state ? last.since : now;
}

interface View {
  readonly peer: PeerPlan;
  readonly link: PeerLink;
  readonly seen: Observation | undefined;
  readonly established: boolean;
  readonly last: PeerStatus | undefined;
  /** The last status, when it was of the same link. */
  readonly before: PeerStatus | undefined;
  readonly unansweredSince: number | undefined;
}

/** Field by field, and no spread: this is made anew for every peer at every look. */
function peerStatus(scene: Scene, peer: PeerPlan): PeerStatus {
  const view = viewOf(scene, peer);
  const { link, seen, last, unansweredSince } = view;
  const { state, reason } = judge(scene, view);
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
  if (seen !== undefined) status.observedAt = scene.now;
  if (mtu !== undefined) status.mtu = mtu;
  if (unansweredSince !== undefined) status.unansweredSince = unansweredSince;
  if (reason !== undefined) status.reason = reason;
  return status;
}

/** The newest established link; with none, the one it was on; else the newest. */
function viewOf(scene: Scene, peer: PeerPlan): View {
  const last = scene.previous.get(peer.node);
  const proved = peer.links.findLast((candidate) => isEstablished(scene, peer, candidate));
  const link = proved ?? peer.links.find((candidate) => isOf(last, candidate)) ?? peer.links.at(-1);
  if (link === undefined) throw new Error(`${peer.node} has no link: a plan never says so`);
  const seen = scene.seen[link.device].get(link.publicKey);
  const before = isOf(last, link) ? last : undefined;
  const established = proved !== undefined;
  const unansweredSince = established ? silenceSince(scene, { link, seen, before }) : undefined;
  return { peer, link, seen, established, last, before, unansweredSince };
}

function isOf(status: PeerStatus | undefined, link: PeerLink): boolean {
  return status?.generation === link.generation && status.publicKey === link.publicKey;
}

function isEstablished(scene: Scene, peer: PeerPlan, link: PeerLink): boolean {
  const seen = scene.seen[link.device].get(link.publicKey);
  if (seen?.lastHandshake === undefined) return false;
  if (scene.contended.size === 0 || !scene.contended.has(link.publicKey)) return true;
  return seen.endpoint !== undefined && peer.addresses.includes(seen.endpoint.address);
}

/**
 * Since when we send and hear nothing. Counters that went back belong to a device made anew. Empty packets want no answer, and
 * there may be one every 10 s, and a persistent one besides. Silence of both sides changes nothing: what was not answered
 * still is not.
 */
function silenceSince(
  { now }: Scene,
  { link, seen, before }: Pick<View, 'link' | 'seen' | 'before'>,
): number | undefined {
  if (link.driver !== 'wireguard' || seen === undefined || before === undefined) return undefined;
  const received = seen.receivedBytes - before.receivedBytes;
  const sent = seen.sentBytes - before.sentBytes;
  if (received !== 0 || sent < 0) return undefined;
  const elapsed = Math.max(0, now - (before.observedAt ?? now));
  const keepalives = 2 + Math.floor(elapsed / (WIREGUARD_TIMES.keepaliveTimeout * 1000));
  return sent > keepalives * KEEPALIVE_SIZE ? (before.unansweredSince ?? now) : before.unansweredSince;
}

interface Verdict {
  readonly state: PeerState;
  readonly reason?: Problem;
}

function judge(scene: Scene, view: View): Verdict {
  const { routed, now } = scene;
  const { peer, unansweredSince, seen } = view;
  if (!view.established) return withoutHandshake(scene, view);
  if (unansweredSince !== undefined && now - unansweredSince >= UNANSWERED_AFTER)
    return { state: 'degraded', reason: noAnswer(view, now - unansweredSince) };
  const keepalive = scene.plan.devices.find(({ name }) => name === view.link.device)?.keepalive ?? 0;
  const age = now - (seen?.lastHandshake ?? now);
  if (keepalive > 0 && view.link.driver === 'wireguard' && age > STALE_AFTER)
    return { state: 'degraded', reason: noAnswer(view, age) };
  if (routed.has(peer.node)) return ROUTED;
  const message = `${peer.node} is established on generation ${view.link.generation}, its route is set next`;
  return { state: 'established', reason: { code: 'NO_ROUTE_YET', message } };
}

const ROUTED: Verdict = { state: 'routed' };
const PROVED: ReadonlySet<PeerState> = new Set(['established', 'routed', 'degraded']);

/** Who proved itself with this very key keeps its route while the device is made anew, and so does one that has a route already. */
function withoutHandshake(scene: Scene, { peer, link, last, before, seen }: View): Verdict {
  const proved =
    last !== undefined ? before !== undefined && PROVED.has(before.state) : scene.routed.has(peer.node);
  const where = `${peer.endpoint}${link.port === 0 ? '' : `:${link.port}`}`;
  const contended = scene.contended.has(link.publicKey) && seen?.lastHandshake !== undefined;
  const message = contended
    ? `another node answers with the key of ${peer.node}; see which of the two was cloned, and remove its state directory`
    : `no handshake with ${peer.node} yet; does UDP reach ${where}, and is the agent there running?`;
  return { state: proved ? 'degraded' : 'configured', reason: { code: 'NO_HANDSHAKE', message } };
}

function noAnswer({ peer, link, seen }: View, silence: number): Problem {
  const seconds = Math.round(silence / 1000);
  const where = seen?.endpoint?.address ?? peer.endpoint;
  return {
    code: 'NO_ANSWER',
    message: `${peer.node} has not answered for ${seconds} s; is the node up, and does UDP pass to and from ${where} (port ${link.port})?`,
  };
}

function endpointText({ peer, link, seen }: View): string {
  const { address, port } = seen?.endpoint ?? { address: peer.endpoint, port: link.port };
  const host = address.includes(':') ? `[${address}]` : address;
  return port === 0 ? host : `${host}:${port}`;
}

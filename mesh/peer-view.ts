/** Which of a peer's links counts, and what was seen on it. */
import type { PublicKey } from '../keys/generation.ts';
import type { DeviceName, MeshPlan, Observation, PeerLink, PeerPlan, PeerStatus } from './types.ts';
import { KEEPALIVE_SIZE, WIREGUARD_TIMES } from './wireguard-times.ts';

export interface StatusInput {
  readonly plan: MeshPlan;
  /** What the last call returned; empty at the start. */
  readonly previous: ReadonlyMap<string, PeerStatus>;
  readonly observations: readonly Observation[];
  /** Nodes whose routes are in the kernel, and the generation that they lead to. */
  readonly routed: ReadonlyMap<string, number>;
  readonly deviceMtu: ReadonlyMap<DeviceName, number>;
  /** When the observations were read, in milliseconds since the epoch. */
  readonly now: number;
}

export type Seen = Readonly<Record<DeviceName, ReadonlyMap<PublicKey, Observation>>>;

export interface Scene extends StatusInput {
  readonly seen: Seen;
  /** Keys that several Nodes publish: a handshake proves something only when it comes from where the record says. */
  readonly contended: ReadonlySet<PublicKey>;
  /** Devices that we send nothing on any more. */
  readonly receiving: readonly DeviceName[];
}

export interface View {
  readonly peer: PeerPlan;
  readonly link: PeerLink;
  readonly seen: Observation | undefined;
  readonly established: boolean;
  /** On which generations: `PeerStatus.established`. */
  readonly on: readonly number[];
  readonly last: PeerStatus | undefined;
  /** The last status, when it was of the same link. */
  readonly before: PeerStatus | undefined;
  readonly unansweredSince: number | undefined;
}

/**
 * Established: the link that its route is on, else the newest. With none, the one it was on; else the newest. What we send nothing on
 * any more is looked at when it has no other.
 */
export function viewOf(scene: Scene, peer: PeerPlan): View {
  const last = scene.previous.get(peer.node);
  const route = scene.routed.get(peer.node);
  let routed: PeerLink | undefined;
  let proved: PeerLink | undefined;
  let on = NONE;
  for (const candidate of peer.links) {
    if (scene.receiving.includes(candidate.device) || !isEstablished(scene, peer, candidate)) continue;
    proved = candidate;
    on = on === NONE ? alone(candidate.generation) : [...on, candidate.generation];
    if (candidate.generation === route) routed = candidate;
  }
  const link = routed ?? proved ?? unproved(scene, peer, last);
  const seen = scene.seen[link.device].get(link.publicKey);
  const before = isOf(last, link) ? last : undefined;
  const established = proved !== undefined;
  const unansweredSince = established ? silenceSince(scene, { link, seen, before }) : undefined;
  return { peer, link, seen, established, on, last, before, unansweredSince };
}

function unproved({ receiving }: Scene, { node, links }: PeerPlan, last: PeerStatus | undefined): PeerLink {
  const usable = links.filter(({ device }) => !receiving.includes(device));
  const link = usable.find((candidate) => isOf(last, candidate)) ?? usable.at(-1) ?? links.at(-1);
  if (link === undefined) throw new Error(`${node} has no link: a plan never says so`);
  return link;
}

const NONE: readonly number[] = [];
const singles = new Map<number, readonly number[]>();

/** One array for thousands of peers. */
function alone(generation: number): readonly number[] {
  const known = singles.get(generation);
  if (known !== undefined) return known;
  singles.clear();
  const fresh = [generation];
  singles.set(generation, fresh);
  return fresh;
}

export function isOf(status: PeerStatus | undefined, link: PeerLink): boolean {
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

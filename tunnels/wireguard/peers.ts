/** The peers of one WireGuard device: what each should be, what the device has, and the changes from one to the other. */
import type { Device, Endpoint, Peer, PeerChange, PublicKey } from 'wireguard-tools-wrapper';
import type { DevicePlan, PeerLink, PeerPlan } from '../../mesh/types.ts';
import { changedItems, Delta } from '../delta.ts';

/** WireGuard refuses a session older than this (REJECT_AFTER_TIME, in milliseconds): until then, its endpoint is a live one. */
const REJECT_AFTER = 180_000;

/** Seconds: what makes an endpoint behind NAT reachable (wg(8)), and makes the kernel start a handshake at once. */
export const PROVOKING_KEEPALIVE = 25;

export interface WantedPeer {
  readonly node: string;
  readonly publicKey: PublicKey;
  readonly endpoint: Endpoint;
  readonly allowedIps: readonly string[];
  readonly keepalive: number;
}

export interface ActualPeer {
  /**
   * What we configured. What the device shows may be another, when the peer's packets come from elsewhere (NAT, a second
   * address): as long as that session lives it is the better one, and is left alone.
   */
  readonly endpoint: Endpoint | undefined;
  readonly allowedIps: readonly string[];
  readonly keepalive: number;
  /** A handshake was seen. */
  readonly established: boolean;
}

export interface PeerUpdate {
  readonly wanted: WantedPeer;
  readonly action: 'add' | 'change';
  readonly repaired: boolean;
  readonly changes: readonly PeerChange[];
}

export interface PeerRemoval {
  readonly publicKey: PublicKey;
  readonly wanted: WantedPeer | undefined;
  readonly repaired: boolean;
  /** What is taken from a peer that stays; undefined: all of it goes. */
  readonly prefixes: readonly string[] | undefined;
}

export class DevicePeers {
  readonly #delta = new Delta<WantedPeer, ActualPeer>(samePeer);
  #last: readonly PeerPlan[] = [];
  #keepalives: ReadonlySet<string> = new Set();
  #keepalive = 0;

  want(device: DevicePlan, peers: readonly PeerPlan[], keepalives: ReadonlySet<string> = new Set()): void {
    const all = device.keepalive !== this.#keepalive;
    const { gone, come } = all ? { gone: this.#last, come: peers } : changedItems(this.#last, peers);
    const awakened = all ? new Set<string>() : difference(keepalives, this.#keepalives);
    this.#last = peers;
    this.#keepalives = keepalives;
    this.#keepalive = device.keepalive;
    for (const peer of gone) for (const link of linksOn(peer, device)) this.#delta.unwant(link.publicKey);
    for (const peer of come) this.#wantPeer(device, peer);
    if (awakened.size === 0) return;
    for (const peer of peers) if (awakened.has(peer.node)) this.#wantPeer(device, peer);
  }

  /** @param now in milliseconds since the epoch. */
  read(device: Device, now: number): void {
    const asKnown = device.peers.every(
      (peer) => this.#toActual(peer, now) === this.#delta.actual(peer.publicKey),
    );
    if (asKnown && this.#delta.isRead && this.#delta.size === device.peers.length) return;
    this.#delta.read(new Map(device.peers.map((peer) => [peer.publicKey, this.#toActual(peer, now)])));
  }

  /**
   * @param restart nodes whose newest links are made anew, but for those that had a handshake.
   *
   * Additions only: a prefix that moves from one peer to another moves in one step, and never is nobody's. */
  updates(restart: ReadonlySet<string>): PeerUpdate[] {
    const anewNow = this.#newestKeys(restart);
    const updates = this.#delta.updates().map(({ wanted, actual, repaired }): PeerUpdate => {
      const again = anewNow.has(wanted.publicKey) && actual?.established !== true;
      const changes =
        actual === undefined ? [whole(wanted)] : again ? anew(wanted) : [changed(wanted, actual)];
      return { wanted, action: actual === undefined ? 'add' : 'change', repaired, changes };
    });
    const covered = new Set(updates.map(({ wanted }) => wanted.publicKey));
    for (const publicKey of anewNow) {
      const wanted = this.#delta.wanted(publicKey);
      if (wanted === undefined || covered.has(publicKey)) continue;
      if (this.#delta.actual(publicKey)?.established === true) continue;
      updates.push({ wanted, action: 'change', repaired: false, changes: anew(wanted) });
    }
    return updates.filter(({ changes }) => changes.some(saysSomething));
  }

  #newestKeys(nodes: ReadonlySet<string>): ReadonlySet<PublicKey> {
    if (nodes.size === 0) return new Set();
    const peers = this.#last.filter(({ node }) => nodes.has(node));
    return new Set(peers.flatMap(({ links }) => links.slice(-1)).map(({ publicKey }) => publicKey));
  }

  /** The device took the update; what it still has too much of is left for `removals`. */
  wrote({ wanted, changes }: PeerUpdate): void {
    const before = changes.length > 1 ? undefined : this.#delta.actual(wanted.publicKey);
    const surplus = (before?.allowedIps ?? []).filter((prefix) => !wanted.allowedIps.includes(prefix));
    this.#delta.wrote(wanted.publicKey, {
      established: before?.established ?? false,
      endpoint: wanted.endpoint,
      keepalive: wanted.keepalive,
      allowedIps: surplus.length === 0 ? wanted.allowedIps : [...wanted.allowedIps, ...surplus],
    });
  }

  /** @param moved prefixes that other peers were just given, and with that are this one's no more. */
  removals(moved: ReadonlySet<string>): PeerRemoval[] {
    const surplus = this.#delta.updates().flatMap(({ wanted, actual, repaired }): PeerRemoval[] => {
      const mine = new Set(wanted.allowedIps);
      const prefixes = (actual?.allowedIps ?? []).filter((prefix) => !mine.has(prefix) && !moved.has(prefix));
      return actual === undefined ? [] : [{ publicKey: wanted.publicKey, wanted, repaired, prefixes }];
    });
    const gone = this.#delta.removals().map(
      ({ key, repaired }): PeerRemoval => ({
        publicKey: key as PublicKey,
        wanted: undefined,
        repaired,
        prefixes: undefined,
      }),
    );
    return [...surplus, ...gone];
  }

  removed({ publicKey, wanted }: PeerRemoval): void {
    const actual = this.#delta.actual(publicKey);
    if (wanted === undefined || actual === undefined) this.#delta.removed(publicKey);
    else this.#delta.wrote(publicKey, { ...actual, allowedIps: wanted.allowedIps });
  }

  get disturbed(): boolean {
    return (
      this.#delta.updates().some(({ repaired }) => repaired) ||
      this.#delta.removals().some(({ repaired }) => repaired)
    );
  }

  #wantPeer(device: DevicePlan, peer: PeerPlan): void {
    const newest = peer.links.at(-1);
    for (const link of linksOn(peer, device)) {
      const { publicKey, port } = link;
      const provoked = link === newest && this.#keepalives.has(peer.node);
      const keepalive = provoked ? PROVOKING_KEEPALIVE : device.keepalive;
      const endpoint = { address: peer.endpoint, port };
      this.#delta.want(publicKey, {
        node: peer.node,
        publicKey,
        endpoint,
        allowedIps: peer.allowedIPs,
        keepalive,
      });
    }
  }

  /** The object that is known, where it still says what is so. */
  #toActual(peer: Peer, now: number): ActualPeer {
    const wanted = this.#delta.wanted(peer.publicKey);
    const known = this.#delta.actual(peer.publicKey);
    const live = peer.latestHandshake !== undefined && now - peer.latestHandshake < REJECT_AFTER;
    const configured = known?.endpoint ?? wanted?.endpoint;
    const endpoint = live && configured !== undefined ? configured : peer.endpoint;
    const established = peer.latestHandshake !== undefined;
    const asKnown =
      known?.established === established &&
      known.keepalive === peer.persistentKeepalive &&
      sameEndpoint(endpoint, known.endpoint) &&
      sameItems(known.allowedIps, peer.allowedIps);
    if (asKnown) return known;
    return {
      endpoint,
      // The plan's own list where it is the same: at thousands of peers, a second copy of all prefixes is worth saving.
      allowedIps:
        wanted !== undefined && sameItems(wanted.allowedIps, peer.allowedIps)
          ? wanted.allowedIps
          : peer.allowedIps,
      keepalive: peer.persistentKeepalive,
      established,
    };
  }
}

function linksOn(peer: PeerPlan, device: DevicePlan): PeerLink[] {
  return peer.links.filter((link) => link.driver === 'wireguard' && link.device === device.name);
}

function whole(wanted: WantedPeer): PeerChange {
  const { publicKey, endpoint, allowedIps, keepalive } = wanted;
  return { publicKey, endpoint, allowedIps, persistentKeepalive: keepalive };
}

const anew = (wanted: WantedPeer): PeerChange[] => [
  { publicKey: wanted.publicKey, remove: true },
  whole(wanted),
];

function changed(wanted: WantedPeer, actual: ActualPeer): PeerChange {
  const has = new Set(actual.allowedIps);
  const missing = wanted.allowedIps.filter((prefix) => !has.has(prefix));
  return {
    publicKey: wanted.publicKey,
    updateOnly: true,
    ...(sameEndpoint(wanted.endpoint, actual.endpoint) ? {} : { endpoint: wanted.endpoint }),
    ...(wanted.keepalive === actual.keepalive ? {} : { persistentKeepalive: wanted.keepalive }),
    ...(missing.length === 0 ? {} : { allowedIps: missing }),
  };
}

const saysSomething = (change: PeerChange) =>
  change.updateOnly !== true ||
  change.endpoint !== undefined ||
  change.persistentKeepalive !== undefined ||
  change.allowedIps !== undefined;

function samePeer(wanted: WantedPeer, actual: ActualPeer): boolean {
  return (
    wanted.keepalive === actual.keepalive &&
    sameEndpoint(wanted.endpoint, actual.endpoint) &&
    sameItems(wanted.allowedIps, actual.allowedIps)
  );
}

const sameEndpoint = (a: Endpoint | undefined, b: Endpoint | undefined) =>
  a === b || (a !== undefined && b !== undefined && a.port === b.port && a.address === b.address);

function sameItems(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  const has = a.length > 8 ? new Set(b) : b;
  return a.every((item) => (Array.isArray(has) ? has.includes(item) : (has as Set<string>).has(item)));
}

function difference(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  for (const item of a) if (!b.has(item)) found.add(item);
  for (const item of b) if (!a.has(item)) found.add(item);
  return found;
}

/** The difference between what a device has and what a configuration wants, such that no packet falls into a gap. */
import type { Config } from './config.ts';
import type { PublicKey } from './keys.ts';
import type { Device, DeviceChange, Peer, PeerChange } from './types.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The peer, by public key, that holds a prefix in the end. */
type Owners = ReadonlyMap<string, PublicKey>;

/**
 * What `syncconf` writes; undefined: nothing, all is as wanted. Sessions of peers that stay go on. Allowed IPs are added and
 * taken away one by one, never replaced: a prefix that moves from peer to peer is always some peer's. Unlike wg(8), a
 * configuration without a port leaves the port alone, which would change with every call.
 */
export function syncChange(device: Device, config: Config): DeviceChange | undefined {
  const wanted = mergePeers(config.peers);
  const owners = ownersOf(wanted.values());
  const held = new Map(device.peers.map((peer) => [peer.publicKey, peer]));
  const peers: PeerChange[] = [];
  for (const peer of wanted.values()) {
    const has = held.get(peer.publicKey);
    const change = has === undefined ? newPeer(peer, owners) : peerChange(has, peer, owners);
    if (change !== undefined) peers.push(change);
  }
  for (const { publicKey } of device.peers) {
    if (!wanted.has(publicKey)) peers.push({ publicKey, remove: true });
  }
  const change = { ...deviceSettings(device, config), ...(peers.length > 0 && { peers }) };
  return Object.keys(change).length > 0 ? change : undefined;
}

function deviceSettings(device: Device, { privateKey = null, listenPort, fwmark }: Config): DeviceChange {
  const change: Mutable<DeviceChange> = {};
  const sameKey =
    privateKey === null ? device.privateKey === undefined : device.privateKey?.equals(privateKey) === true;
  if (!sameKey) change.privateKey = privateKey;
  if (listenPort !== undefined && listenPort !== 0 && listenPort !== device.listenPort)
    change.listenPort = listenPort;
  if ((fwmark ?? 0) !== device.fwmark) change.fwmark = fwmark ?? null;
  return change;
}

/** One entry a peer: what a later section says goes on top of an earlier one. */
function mergePeers(peers: readonly PeerChange[]): Map<PublicKey, PeerChange> {
  const merged = new Map<PublicKey, PeerChange>();
  for (const peer of peers) {
    const before = merged.get(peer.publicKey);
    const allowedIps =
      before === undefined || peer.replaceAllowedIps === true
        ? (peer.allowedIps ?? [])
        : [...(before.allowedIps ?? []), ...(peer.allowedIps ?? [])];
    merged.set(peer.publicKey, { ...before, ...peer, allowedIps });
  }
  return merged;
}

/** Of a prefix that several peers list, the last one is the owner, as in the kernel. */
function ownersOf(peers: Iterable<PeerChange>): Owners {
  const owners = new Map<string, PublicKey>();
  for (const { publicKey, allowedIps = [] } of peers) {
    for (const prefix of allowedIps) owners.set(prefix, publicKey);
  }
  return owners;
}

function newPeer(peer: PeerChange, owners: Owners): PeerChange {
  const { replaceAllowedIps: _, removeAllowedIps: __, allowedIps = [], ...settings } = peer;
  return { ...settings, allowedIps: allowedIps.filter((prefix) => owners.get(prefix) === peer.publicKey) };
}

/** What has to change for `wanted`; undefined: nothing. */
function peerChange(has: Peer, wanted: PeerChange, owners: Owners): PeerChange | undefined {
  const { publicKey, allowedIps = [], replaceAllowedIps = false } = wanted;
  const held = new Set(has.allowedIps);
  const listed = new Set(wanted.removeAllowedIps);
  const add = allowedIps.filter((prefix) => owners.get(prefix) === publicKey && !held.has(prefix));
  const remove = has.allowedIps.filter(
    (prefix) => !owners.has(prefix) && (replaceAllowedIps || listed.has(prefix)),
  );
  const change = {
    ...peerSettings(has, wanted),
    ...(add.length > 0 && { allowedIps: add }),
    ...(remove.length > 0 && { removeAllowedIps: remove }),
  };
  return Object.keys(change).length > 0 ? { publicKey, updateOnly: true, ...change } : undefined;
}

/** An endpoint that is not wanted stays: the peer may have roamed. */
function peerSettings(has: Peer, wanted: PeerChange): Omit<PeerChange, 'publicKey'> {
  const { presharedKey = null, endpoint, persistentKeepalive = 0 } = wanted;
  const change: Mutable<Omit<PeerChange, 'publicKey'>> = {};
  const samePresharedKey =
    presharedKey === null ? has.presharedKey === undefined : has.presharedKey?.equals(presharedKey) === true;
  if (!samePresharedKey) change.presharedKey = presharedKey;
  if (
    endpoint !== undefined &&
    !(endpoint.address === has.endpoint?.address && endpoint.port === has.endpoint.port)
  ) {
    change.endpoint = endpoint;
  }
  if (persistentKeepalive !== has.persistentKeepalive) change.persistentKeepalive = persistentKeepalive;
  return change;
}

/** What both implementations make of a `DeviceChange` before they write it. */
import { canonicalPrefix } from './address.ts';
import { WireGuardError } from './errors.ts';
import { type PublicKey, publicKeyFromBytes } from './keys.ts';
import type { Device, DeviceChange, PeerChange } from './types.ts';

/**
 * The point of order four, u = 1, with which no handshake can ever succeed: the key of the peer that holds prefixes only for
 * the moment before it is removed. Not the key of zeros, which wireguard-go takes for its own while it has no private key.
 */
export const THROW_AWAY_KEY: PublicKey = publicKeyFromBytes(
  Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
);

/** @throws WireGuardError `INVALID` for a number out of range. */
export function checkChange({ listenPort, fwmark, peers = [] }: DeviceChange): void {
  checkRange('listen port', listenPort, 0xffff);
  checkRange('firewall mark', fwmark ?? undefined, 0xffff_ffff);
  for (const { endpoint, persistentKeepalive } of peers) {
    checkRange('port of an endpoint', endpoint?.port, 0xffff);
    checkRange('persistent keepalive', persistentKeepalive, 0xffff);
  }
}

function checkRange(what: string, value: number | undefined, most: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= most)) {
    throw new WireGuardError('INVALID', `a ${what} of ${value}: expected a whole number from 0 to ${most}`);
  }
}

/**
 * Peers that go stand behind those that stay, so that what one leaves another holds already. A change that names a peer
 * twice keeps its order: it may mean to remove the peer and make it anew.
 */
export function removalsLast(peers: readonly PeerChange[]): readonly PeerChange[] {
  if (!peers.some(({ remove }) => remove)) return peers;
  if (new Set(peers.map(({ publicKey }) => publicKey)).size < peers.length) return peers;
  return [...peers.filter(({ remove }) => !remove), ...peers.filter(({ remove }) => remove)];
}

/** The peers that lose prefixes and stay. */
export function losers(peers: readonly PeerChange[]): readonly PeerChange[] {
  return peers.filter(({ remove, removeAllowedIps = [] }) => !remove && removeAllowedIps.length > 0);
}

/**
 * Takes prefixes away where `WGALLOWEDIP_F_REMOVE_ME` is unknown: a throw-away peer claims them and is removed. Only those
 * that the named peers hold in `device`; undefined when they hold none.
 */
export function throwAway(device: Device, peers: readonly PeerChange[]): DeviceChange | undefined {
  const held = new Map(device.peers.map(({ publicKey, allowedIps }) => [publicKey, new Set(allowedIps)]));
  const claimed = peers.flatMap(({ publicKey, removeAllowedIps = [] }) =>
    removeAllowedIps.filter((prefix) => held.get(publicKey)?.has(canonicalPrefix(prefix))),
  );
  if (claimed.length === 0) return undefined;
  return {
    peers: [
      { publicKey: THROW_AWAY_KEY, allowedIps: claimed },
      { publicKey: THROW_AWAY_KEY, remove: true },
    ],
  };
}

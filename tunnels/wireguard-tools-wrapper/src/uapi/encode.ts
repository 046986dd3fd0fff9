/** Requests of the cross-platform userspace interface (wireguard.com/xplatform): `key=value` lines, keys in hexadecimal. */
import { canonicalPrefix, formatEndpoint } from '../address.ts';
import { type PublicKey, publicKeyBytes } from '../keys.ts';
import type { DeviceChange, PeerChange } from '../types.ts';

const ZERO_KEY = '0'.repeat(64);

export const GET = 'get=1\n\n';

/** A set request that makes `change`, `removeAllowedIps` left out. */
export function encodeChange(change: DeviceChange): string {
  const lines = ['set=1'];
  const { privateKey, listenPort, fwmark, replacePeers = false, peers = [] } = change;
  if (privateKey !== undefined)
    lines.push(`private_key=${privateKey === null ? ZERO_KEY : hex(privateKey.bytes())}`);
  if (listenPort !== undefined) lines.push(`listen_port=${listenPort}`);
  if (fwmark !== undefined) lines.push(`fwmark=${fwmark ?? 0}`);
  if (replacePeers) lines.push('replace_peers=true');
  for (const peer of peers) pushPeer(lines, peer);
  return `${lines.join('\n')}\n\n`;
}

/** A set request that takes each peer's `removeAllowedIps` away, for daemons that know `allowed_ip=-PREFIX`. */
export function encodeRemovals(peers: readonly PeerChange[]): string {
  const lines = ['set=1'];
  for (const { publicKey, removeAllowedIps = [] } of peers) {
    lines.push(publicKeyLine(publicKey), 'update_only=true');
    for (const prefix of removeAllowedIps) lines.push(`allowed_ip=-${canonicalPrefix(prefix)}`);
  }
  return `${lines.join('\n')}\n\n`;
}

function pushPeer(lines: string[], peer: PeerChange): void {
  const { presharedKey, endpoint, persistentKeepalive } = peer;
  lines.push(publicKeyLine(peer.publicKey));
  if (peer.remove) lines.push('remove=true');
  if (peer.updateOnly) lines.push('update_only=true');
  if (presharedKey !== undefined) {
    lines.push(`preshared_key=${presharedKey === null ? ZERO_KEY : hex(presharedKey.bytes())}`);
  }
  if (endpoint !== undefined) lines.push(`endpoint=${formatEndpoint(endpoint)}`);
  if (persistentKeepalive !== undefined) lines.push(`persistent_keepalive_interval=${persistentKeepalive}`);
  if (peer.replaceAllowedIps) lines.push('replace_allowed_ips=true');
  for (const prefix of peer.allowedIps ?? []) lines.push(`allowed_ip=${canonicalPrefix(prefix)}`);
}

function publicKeyLine(key: PublicKey): string {
  return `public_key=${hex(publicKeyBytes(key))}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

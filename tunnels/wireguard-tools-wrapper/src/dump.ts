/** What `wg show DEVICE dump` and `wg showconf DEVICE` print, byte for byte. Both reveal the keys. */
import { formatEndpoint } from './address.ts';
import type { Device, Peer } from './types.ts';

const NONE = '(none)';

/** One line for the device, one for each peer, fields separated by tabs. */
export function formatDump(device: Device): string {
  return dumpLines(device)
    .map((fields) => `${fields.join('\t')}\n`)
    .join('');
}

/** As `wg show all dump`: the name of the device before each line. */
export function formatDumpAll(devices: readonly Device[]): string {
  return devices
    .flatMap((device) => dumpLines(device).map((fields) => `${device.name}\t${fields.join('\t')}\n`))
    .join('');
}

function dumpLines(device: Device): string[][] {
  const { privateKey, publicKey, listenPort, fwmark, peers } = device;
  const mark = fwmark === 0 ? 'off' : `0x${fwmark.toString(16)}`;
  return [
    [privateKey?.reveal() ?? NONE, publicKey ?? NONE, String(listenPort), mark],
    ...peers.map((peer) => [
      peer.publicKey,
      peer.presharedKey?.reveal() ?? NONE,
      peer.endpoint === undefined ? NONE : formatEndpoint(peer.endpoint),
      peer.allowedIps.length === 0 ? NONE : peer.allowedIps.map(asWgPrints).join(','),
      String(Math.floor((peer.latestHandshake ?? 0) / 1000)),
      String(peer.receivedBytes),
      String(peer.sentBytes),
      peer.persistentKeepalive === 0 ? 'off' : String(peer.persistentKeepalive),
    ]),
  ];
}

/** A configuration that `setconf` takes back. */
export function formatConfig(device: Device): string {
  const { listenPort, fwmark, privateKey } = device;
  const lines = ['[Interface]'];
  if (listenPort !== 0) lines.push(`ListenPort = ${listenPort}`);
  if (fwmark !== 0) lines.push(`FwMark = 0x${fwmark.toString(16)}`);
  if (privateKey !== undefined) lines.push(`PrivateKey = ${privateKey.reveal()}`);
  lines.push('');
  const peers = device.peers.map((peer) => `${peerLines(peer).join('\n')}\n`);
  return `${lines.join('\n')}\n${peers.join('\n')}`;
}

function peerLines(peer: Peer): string[] {
  const { publicKey, presharedKey, allowedIps, endpoint, persistentKeepalive } = peer;
  const lines = ['[Peer]', `PublicKey = ${publicKey}`];
  if (presharedKey !== undefined) lines.push(`PresharedKey = ${presharedKey.reveal()}`);
  if (allowedIps.length > 0) lines.push(`AllowedIPs = ${allowedIps.map(asWgPrints).join(', ')}`);
  if (endpoint !== undefined) lines.push(`Endpoint = ${formatEndpoint(endpoint)}`);
  if (persistentKeepalive !== 0) lines.push(`PersistentKeepalive = ${persistentKeepalive}`);
  return lines;
}

/** wg prints with inet_ntop(3), which ends addresses of ::/96 dotted, `::1.2.3.4`, where RFC 5952 does not. */
function asWgPrints(prefix: string): string {
  return prefix.replace(/^::([0-9a-f]{1,4}):([0-9a-f]{1,4})(?=\/)/, (_, high: string, low: string) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt16BE(Number.parseInt(high, 16), 0);
    bytes.writeUInt16BE(Number.parseInt(low, 16), 2);
    return `::${bytes.join('.')}`;
  });
}

/** Random devices: every setting present, absent and cleared; prefixes of both families that peers snatch from each other. */
import fc from 'fast-check';
import {
  type Config,
  canonicalPrefix,
  formatEndpoint,
  type PeerChange,
  PresharedKey,
  PrivateKey,
  publicKeyFromBytes,
} from 'wireguard-tools-wrapper';

const keyBytes = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => bytes.some((byte) => byte > 1));
export const publicKey = keyBytes.map(publicKeyFromBytes);
export const presharedKey = keyBytes.map(PresharedKey.fromBytes);
export const privateKey = keyBytes.map((bytes) => PrivateKey.generate(() => bytes));

const ipv4 = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255))
  .map((b) => b.join('.'));
/** Global and unique local ones: what is mapped from IPv4 the two implementations see differently. */
const ipv6 = fc
  .tuple(
    fc.constantFrom('2001', 'fd00', '2'),
    fc.array(fc.constantFrom(0, 0, 1, 0xa0, 0xffff), { minLength: 7, maxLength: 7 }),
  )
  .map(([first, rest]) => [first, ...rest.map((group) => group.toString(16))].join(':'));

const fewPrefixes = fc.constantFrom(
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.1.0/24',
  '0.0.0.0/0',
  '::/0',
  'fd00::/8',
  'fd00:1::1/128',
);
export const prefix = fc.oneof(
  fewPrefixes,
  fc.tuple(ipv4, fc.nat(32)).map(([address, length]) => canonicalPrefix(`${address}/${length}`)),
  fc.tuple(ipv6, fc.nat(128)).map(([address, length]) => canonicalPrefix(`${address}/${length}`)),
);

const endpoint = fc
  .tuple(fc.oneof(ipv4, ipv6), fc.integer({ min: 1, max: 65_535 }))
  .map(([address, port]) => ({ address: canonicalPrefix(address).split('/', 1)[0] ?? '', port }));

const peer: fc.Arbitrary<PeerChange> = fc.record(
  {
    publicKey,
    presharedKey,
    endpoint,
    persistentKeepalive: fc.oneof(fc.constantFrom(0, 1, 65_535), fc.nat(65_535)),
    allowedIps: fc.uniqueArray(prefix, { maxLength: 12 }),
    replaceAllowedIps: fc.constant(true),
  },
  { requiredKeys: ['publicKey', 'allowedIps', 'replaceAllowedIps'] },
);

/** A whole configuration, as `setconf` takes it. */
export const config: fc.Arbitrary<Config> = fc.record(
  {
    privateKey,
    listenPort: fc.integer({ min: 42_000, max: 42_999 }),
    fwmark: fc.oneof(fc.constantFrom(1, 0x1000, 0xffff_ffff), fc.nat(0x7fff_ffff)),
    peers: fc.uniqueArray(peer, { maxLength: 8, selector: (entry) => entry.publicKey }),
  },
  { requiredKeys: ['peers', 'listenPort'] },
);

/** Two configurations of one device: peers that stay, come, go and change. */
export const configPair: fc.Arbitrary<readonly [Config, Config]> = fc
  .tuple(config, config, fc.nat())
  .map(([a, b, keep]) => {
    const kept = a.peers.filter((_, i) => ((keep >> i) & 1) === 1);
    const others = b.peers.filter((entry) => !kept.some((old) => old.publicKey === entry.publicKey));
    const changed = kept.map((old, i) => ({ ...old, ...b.peers[i], publicKey: old.publicKey }));
    return [a, { ...b, peers: [...others, ...changed] }] as const;
  });

/** Configuration text, written without the help of the package. */
export function configText({ privateKey: secret, listenPort, fwmark, peers }: Config): string {
  const lines = ['[Interface]'];
  if (secret) lines.push(`PrivateKey = ${secret.reveal()}`);
  if (listenPort !== undefined) lines.push(`ListenPort = ${listenPort}`);
  if (fwmark) lines.push(`FwMark = ${fwmark}`);
  for (const entry of peers) {
    lines.push('[Peer]', `PublicKey = ${entry.publicKey}`);
    if (entry.presharedKey) lines.push(`PresharedKey = ${entry.presharedKey.reveal()}`);
    if (entry.endpoint) lines.push(`Endpoint = ${formatEndpoint(entry.endpoint)}`);
    if (entry.persistentKeepalive !== undefined)
      lines.push(`PersistentKeepalive = ${entry.persistentKeepalive}`);
    for (const ip of entry.allowedIps ?? []) lines.push(`AllowedIPs = ${ip}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The dump a fresh device has after `config`, by the rules of wg(8): of a prefix listed twice the last peer is the owner. */
export function expectedDump({ privateKey: secret, listenPort, fwmark, peers }: Config): string {
  const owner = new Map(
    peers.flatMap((entry) => (entry.allowedIps ?? []).map((ip) => [ip, entry.publicKey] as const)),
  );
  const lines = [
    [
      secret?.reveal() ?? '(none)',
      secret?.publicKey() ?? '(none)',
      listenPort,
      fwmark ? `0x${fwmark.toString(16)}` : 'off',
    ],
    ...peers.map((entry) => [
      entry.publicKey,
      entry.presharedKey?.reveal() ?? '(none)',
      entry.endpoint ? formatEndpoint(entry.endpoint) : '(none)',
      (entry.allowedIps ?? []).filter((ip) => owner.get(ip) === entry.publicKey).join(',') || '(none)',
      0,
      0,
      0,
      entry.persistentKeepalive || 'off',
    ]),
  ];
  return lines.map((fields) => `${fields.join('\t')}\n`).join('');
}

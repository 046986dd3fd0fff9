/** Large numbers of peers and prefixes, all different, the same in every run. */
import { createHash } from 'node:crypto';
import { type PeerChange, PresharedKey, publicKeyFromBytes } from 'wireguard-tools-wrapper';

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Each with five prefixes of both families, an endpoint, and every third with a preshared key. */
export function manyPeers(count: number): PeerChange[] {
  return Array.from({ length: count }, (_, i) => {
    const [high, low] = [i >> 8, i & 0xff];
    return {
      publicKey: publicKeyFromBytes(hash(`peer ${i}`)),
      ...(i % 3 === 0 && { presharedKey: PresharedKey.fromBytes(hash(`preshared ${i}`)) }),
      endpoint:
        i % 2 === 0
          ? { address: `192.0.${high}.${low}`, port: 1024 + i }
          : { address: `2001:db8::${(i + 1).toString(16)}`, port: 1024 + i },
      persistentKeepalive: i % 5 === 0 ? 0 : i,
      allowedIps: [
        `10.${high}.${low}.0/24`,
        `172.16.${high}.${low}/32`,
        `172.17.${high}.${low}/32`,
        `fd00:0:${(i + 1).toString(16)}::/64`,
        `fd01::${(i + 1).toString(16)}/128`,
      ],
    };
  });
}

/** Half of each family, in canonical text. */
export function manyPrefixes(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    i % 2 === 0 ? `10.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}/32` : `fd02::${i.toString(16)}/128`,
  );
}

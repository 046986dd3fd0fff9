/** The nodes of `cluster.ts` on IPsec: each has an Ed25519 key, made from its number. */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { PrivateKey, publicKeyFromBytes } from 'wireguard-tools-wrapper/keys';
import type { PublicKey } from '../../keys/generation.ts';
import { parseRecord } from '../../mesh/record.ts';
import type { MeshConfig, NodeRecord } from '../../mesh/types.ts';
import { privateKeyDer } from '../../tunnels/ipsec/key-encoding.ts';
import { config, metadataOf, nodeName, SELF } from '../cluster.ts';

export const GENERATION = 1;

export const ipsecConfig: MeshConfig = { ...config, encryption: 'ipsec' };

export function ipsecPrivateKey(i: number): PrivateKey {
  return PrivateKey.fromBytes(
    createHash('sha256')
      .update(`ipsec ${nodeName(i)}`)
      .digest(),
  );
}

/** By OpenSSL: thousands are made before anything is timed. */
export function ipsecPublicKey(i: number): PublicKey {
  const key = createPrivateKey({ key: privateKeyDer(ipsecPrivateKey(i)), format: 'der', type: 'pkcs8' });
  const der = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return publicKeyFromBytes(der.subarray(-32));
}

export function ipsecAnnotations(i: number): Record<string, string> {
  const publicKey = ipsecPublicKey(i);
  return {
    ...metadataOf(i).annotations,
    'sheath.dev/generations': JSON.stringify([{ generation: GENERATION, driver: 'ipsec', publicKey }]),
  };
}

const recordOf = (i: number): NodeRecord =>
  parseRecord({ ...metadataOf(i), annotations: ipsecAnnotations(i) });

/** Our own record, and those of `count` others. */
export function ipsecRecords(count: number): { self: NodeRecord; others: NodeRecord[] } {
  return {
    self: recordOf(SELF),
    others: Array.from({ length: count }, (_, index) => recordOf(SELF + 1 + index)),
  };
}

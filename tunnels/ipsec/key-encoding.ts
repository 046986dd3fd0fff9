/** Raw Ed25519 keys in the wrapping that charon reads: DER of RFC 8410, which for these keys is a fixed prefix. */
import { createHash } from 'node:crypto';
import type { PrivateKey } from 'wireguard-tools-wrapper/keys';
import type { PublicKey } from '../../keys/generation.ts';

/** SubjectPublicKeyInfo with id-Ed25519, up to the 32 bytes of the key. */
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** OneAsymmetricKey, version 0, with id-Ed25519, up to the 32 bytes of the seed. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

const rawKey = (key: PublicKey) => Buffer.from(key, 'base64');

export const publicKeyDer = (key: PublicKey): Buffer => Buffer.concat([PUBLIC_PREFIX, rawKey(key)]);

/** Holds the secret: for charon's socket only, and zeroed by whoever asked for it. */
export function privateKeyDer(seed: PrivateKey): Buffer {
  const bytes = seed.bytes();
  const der = Buffer.concat([PRIVATE_PREFIX, bytes]);
  bytes.fill(0);
  return der;
}

/** What charon calls a key by: SHA-1 of the public key's bits (RFC 5280, 4.2.1.2, method 1), in hexadecimal. A name, no protection. */
export const charonKeyId = (key: PublicKey): string => createHash('sha1').update(rawKey(key)).digest('hex');

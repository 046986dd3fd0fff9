/** Ed25519, the keys of IKEv2, which the WireGuard wrapper has no use for. */
import nacl from 'tweetnacl';
import { type PrivateKey, publicKeyFromBytes } from 'wireguard-tools-wrapper/keys';
import type { PublicKey } from './generation.ts';

/** The raw public key (RFC 8032 section 5.1.5) of a 32-byte seed. */
export function ed25519PublicKey(seed: PrivateKey): PublicKey {
  return publicKeyFromBytes(nacl.sign.keyPair.fromSeed(seed.bytes()).publicKey);
}

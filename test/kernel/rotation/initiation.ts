/**
 * The first message of a WireGuard handshake (WireGuard paper, 5.4.2), with a time of one's own choosing. Who accepts it remembers that
 * time and refuses whatever the same key says of an earlier one: as after a node lived with its clock ahead.
 */
import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import nacl from 'tweetnacl';
import { PrivateKey } from 'wireguard-tools-wrapper/keys';
import { blake2s } from './blake2s.ts';

const CONSTRUCTION = 'Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s';
const IDENTIFIER = 'WireGuard v1 zx2c4 Jason@zx2c4.com';
const LABEL_MAC1 = 'mac1----';
/** TAI64 of the epoch of Unix, and the leap seconds of 1970. */
const TAI64_EPOCH = 0x4000_0000_0000_000an;

export interface InitiationOptions {
  readonly from: PrivateKey;
  /** Public key, base64. */
  readonly to: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** 148 bytes; the answer is a message of type 2. */
export function initiation({ from, to, time }: InitiationOptions): Buffer {
  const responder = Buffer.from(to, 'base64');
  const ephemeral = PrivateKey.generate();
  const ephemeralPublic = Buffer.from(ephemeral.publicKey(), 'base64');
  let chain = hash(Buffer.from(CONSTRUCTION));
  let transcript = hash(hash(chain, Buffer.from(IDENTIFIER)), responder);
  transcript = hash(transcript, ephemeralPublic);
  [chain] = derive(chain, ephemeralPublic);
  let key: Buffer;
  [chain, key] = derive(chain, x25519(ephemeral, responder));
  const identity = seal(key, Buffer.from(from.publicKey(), 'base64'), transcript);
  transcript = hash(transcript, identity);
  [, key] = derive(chain, x25519(from, responder));
  const stamp = seal(key, tai64n(time), transcript);
  const message = Buffer.concat([
    Buffer.from([1, 0, 0, 0]),
    randomBytes(4),
    ephemeralPublic,
    identity,
    stamp,
  ]);
  const mac1 = blake2s(message, { key: hash(Buffer.from(LABEL_MAC1), responder), length: 16 });
  return Buffer.concat([message, mac1, Buffer.alloc(16)]);
}

function hash(...parts: readonly Buffer[]): Buffer {
  return createHash('blake2s256').update(Buffer.concat(parts)).digest();
}

function derive(chain: Buffer, input: Buffer): [Buffer, Buffer] {
  const hmac = (key: Buffer, data: Buffer) => createHmac('blake2s256', key).update(data).digest();
  const secret = hmac(chain, input);
  const first = hmac(secret, Buffer.from([1]));
  return [first, hmac(secret, Buffer.concat([first, Buffer.from([2])]))];
}

function x25519(secret: PrivateKey, point: Buffer): Buffer {
  return Buffer.from(nacl.scalarMult(secret.bytes(), point));
}

function seal(key: Buffer, text: Buffer, authenticated: Buffer): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', key, Buffer.alloc(12), { authTagLength: 16 });
  cipher.setAAD(authenticated, { plaintextLength: text.length });
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function tai64n(time: number): Buffer {
  const stamp = Buffer.alloc(12);
  stamp.writeBigUInt64BE(TAI64_EPOCH + BigInt(Math.floor(time / 1000)));
  stamp.writeUInt32BE((time % 1000) * 1_000_000, 8);
  return stamp;
}

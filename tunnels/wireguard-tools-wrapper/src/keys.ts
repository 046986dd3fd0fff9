/**
 * The three kinds of WireGuard key, 32 bytes each, written as 44 characters of base64.
 *
 * A public key is a branded string, so that it compares with `===`, sorts, and keys a Map. Private and preshared keys are
 * objects that hold their bytes where nothing prints them; only `reveal()` and `bytes()` give them away.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import nacl from 'tweetnacl';
import { KeyError } from './errors.ts';

export const KEY_LENGTH = 32;

declare const brand: unique symbol;

/** Canonical base64 of 32 bytes: 44 characters. */
export type PublicKey = string & { readonly [brand]: 'PublicKey' };

/** 43 characters carry 258 bits: the last has two bits to spare, which canonical text leaves zero. */
const CANONICAL = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** @throws KeyError unless `text` is canonical base64 of 32 bytes. */
export function parsePublicKey(text: string): PublicKey {
  checkText(text, 'public key');
  return text as PublicKey;
}

/** @throws KeyError unless there are 32 bytes. */
export function publicKeyFromBytes(bytes: Uint8Array): PublicKey {
  checkLength(bytes, 'public key');
  return base64(bytes) as PublicKey;
}

export function publicKeyBytes(key: PublicKey): Uint8Array {
  return fromBase64(key);
}

/** Clamped as RFC 7748 section 5 says, by X25519 itself; kept as it was given. */
export class PrivateKey {
  readonly #bytes: Uint8Array;
  #publicKey: PublicKey | undefined;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A fresh key, clamped; `random(n)` gives n bytes fit for keys. */
  static generate(random: (length: number) => Uint8Array = randomBytes): PrivateKey {
    return new PrivateKey(clamped(random(KEY_LENGTH)));
  }

  /** @throws KeyError unless `text` is canonical base64 of 32 bytes. */
  static parse(text: string): PrivateKey {
    checkText(text, 'private key');
    return new PrivateKey(fromBase64(text));
  }

  /** @throws KeyError unless there are 32 bytes. */
  static fromBytes(bytes: Uint8Array): PrivateKey {
    checkLength(bytes, 'private key');
    return new PrivateKey(Uint8Array.from(bytes));
  }

  publicKey(): PublicKey {
    this.#publicKey ??= publicKeyFromBytes(nacl.scalarMult.base(this.#bytes));
    return this.#publicKey;
  }

  /** In constant time, as X25519 sees them: a device gives a key back clamped. */
  equals(other: PrivateKey): boolean {
    return timingSafeEqual(clamped(this.#bytes), clamped(other.#bytes));
  }

  /** The secret as base64. */
  reveal(): string {
    return base64(this.#bytes);
  }

  /** A copy of the secret. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  toString(): string {
    return '[PrivateKey]';
  }

  toJSON(): string {
    return '[PrivateKey]';
  }

  [inspect.custom](): string {
    return '[PrivateKey]';
  }
}

/** The symmetric key that two peers may mix into their handshakes. */
export class PresharedKey {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A fresh key; `random(n)` gives n bytes fit for keys. */
  static generate(random: (length: number) => Uint8Array = randomBytes): PresharedKey {
    return new PresharedKey(Uint8Array.from(random(KEY_LENGTH)));
  }

  /** @throws KeyError unless `text` is canonical base64 of 32 bytes. */
  static parse(text: string): PresharedKey {
    checkText(text, 'preshared key');
    return new PresharedKey(fromBase64(text));
  }

  /** @throws KeyError unless there are 32 bytes. */
  static fromBytes(bytes: Uint8Array): PresharedKey {
    checkLength(bytes, 'preshared key');
    return new PresharedKey(Uint8Array.from(bytes));
  }

  /** In constant time. */
  equals(other: PresharedKey): boolean {
    return timingSafeEqual(this.#bytes, other.#bytes);
  }

  /** The secret as base64. */
  reveal(): string {
    return base64(this.#bytes);
  }

  /** A copy of the secret. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  toString(): string {
    return '[PresharedKey]';
  }

  toJSON(): string {
    return '[PresharedKey]';
  }

  [inspect.custom](): string {
    return '[PresharedKey]';
  }
}

/**
 * The u-coordinates whose order divides 8, and their aliases above 2^255-19 (D. J. Bernstein, "Curve25519: new
 * Diffie-Hellman speed records", and RFC 7748 section 6.1). With one of them every shared secret is zero: it is nobody's key.
 */
const LOW_ORDER: ReadonlySet<string> = new Set(
  [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ].flatMap(withEitherTopBit),
);

/** X25519 ignores the top bit. */
function withEitherTopBit(point: string): readonly string[] {
  const bytes = Buffer.from(point, 'hex');
  return [0, 0x80].map((top) => {
    bytes[31] = ((bytes[31] ?? 0) & 0x7f) | top;
    return bytes.toString('base64');
  });
}

/** The all-zero key and the other points of low order, with which no handshake can succeed. */
export function isLowOrder(key: PublicKey): boolean {
  return LOW_ORDER.has(key);
}

/** RFC 7748 section 5: a multiple of the cofactor, of fixed length. */
function clamped(secret: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(secret);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return bytes;
}

function checkText(text: string, what: string): void {
  if (!CANONICAL.test(text)) {
    throw new KeyError(`this is no ${what}: expected 44 characters of base64, the last one "=" (32 bytes)`);
  }
}

function checkLength(bytes: Uint8Array, what: string): void {
  if (bytes.length !== KEY_LENGTH) {
    throw new KeyError(`this is no ${what}: expected ${KEY_LENGTH} bytes, got ${bytes.length}`);
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** A copy that shares no pool with other buffers. */
function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

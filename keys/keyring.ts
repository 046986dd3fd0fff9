/** Stub: the signature that others build on. */
import type { PrivateKey } from 'wireguard-tools-wrapper';
import type { PublicKey } from './generation.ts';

export type Driver = 'wireguard' | 'ipsec';

export interface KeyringEntry {
  readonly generation: number;
  readonly driver: Driver;
  readonly publicKey: PublicKey;
  readonly privateKey: PrivateKey;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface KeyringOptions {
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number;
}

/** Synchronous: a handful of small writes a rotation, and no two of them may interleave. Every method throws `KeyringError`. */
export class Keyring {
  /** Reads and checks every key in `directory` (made 0700 when it is missing). */
  static open(_directory: string, _options: KeyringOptions = {}): Keyring {
    throw new Error('Keyring: not built yet');
  }
  /** The key of this generation; a fresh one, on disk, when there is none. */
  ensure(_generation: number, _driver: Driver): KeyringEntry {
    throw new Error('Keyring: not built yet');
  }
  get(_generation: number): KeyringEntry | undefined {
    throw new Error('Keyring: not built yet');
  }
  /** Oldest generation first. */
  list(): readonly KeyringEntry[] {
    throw new Error('Keyring: not built yet');
  }
  /** Not there any more is success. */
  remove(_generation: number): void {
    throw new Error('Keyring: not built yet');
  }
  /** A fresh key in place of the old one, for a node whose clock is behind. @throws `KEY_MISSING` */
  renew(_generation: number): KeyringEntry {
    throw new Error('Keyring: not built yet');
  }
  /** The newest time this node is known to have lived at, in milliseconds since the epoch; 0 when none is known. */
  newestTimeOnDisk(): number {
    throw new Error('Keyring: not built yet');
  }
  /** Notes that it is `now`, on disk, at most once a minute. */
  touch(_now: number): void {
    throw new Error('Keyring: not built yet');
  }
}

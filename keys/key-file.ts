/**
 * One key on disk: text that a person can read, with a checksum, so that damage and truncation are recognised and never taken
 * for another key.
 *
 *   sheath key 1
 *   generation 7
 *   driver wireguard
 *   created 2026-11-22T15:00:00.000Z
 *   private <base64 of 32 bytes>
 *   sha256 <hexadecimal, of all lines above>
 */
import { createHash } from 'node:crypto';
import { PrivateKey } from 'wireguard-tools-wrapper/keys';
import { ed25519PublicKey } from './ed25519.ts';
import type { PublicKey } from './generation.ts';

export type Driver = 'wireguard' | 'ipsec';

export interface KeyringEntry {
  readonly generation: number;
  readonly driver: Driver;
  /** X25519 for `wireguard`, Ed25519 for `ipsec`. Not always `privateKey.publicKey()`, which is X25519 always. */
  readonly publicKey: PublicKey;
  /** For `ipsec` the 32-byte seed of RFC 8032. */
  readonly privateKey: PrivateKey;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Whatever is longer is none of ours. */
export const MAX_KEY_FILE = 4096;

const BODY =
  /^sheath key 1\ngeneration ([1-9]\d{0,9})\ndriver (wireguard|ipsec)\ncreated (\S+)\nprivate (\S+)\n$/;
const CHECKSUM = /^sha256 ([0-9a-f]{64})\n$/;

export function createEntry(generation: number, driver: Driver, createdAt: number): KeyringEntry {
  return entryOf({ generation, driver, createdAt, privateKey: PrivateKey.generate() });
}

function entryOf(parts: Omit<KeyringEntry, 'publicKey'>): KeyringEntry {
  const { driver, privateKey } = parts;
  return { ...parts, publicKey: driver === 'ipsec' ? ed25519PublicKey(privateKey) : privateKey.publicKey() };
}

/** Holds the secret: for the disk only. */
export function formatKeyFile({ generation, driver, createdAt, privateKey }: KeyringEntry): string {
  const created = new Date(createdAt).toISOString();
  const body = `sheath key 1\ngeneration ${generation}\ndriver ${driver}\ncreated ${created}\nprivate ${privateKey.reveal()}\n`;
  return `${body}sha256 ${checksum(body)}\n`;
}

/** The key, or why the text is none: in words that never quote it. */
export function parseKeyFile(text: string): KeyringEntry | string {
  const split = text.lastIndexOf('sha256 ');
  if (text.length === 0) return 'is empty';
  if (split < 0) return 'has no checksum: it was cut off, or is no key of ours';
  const body = text.slice(0, split);
  const sum = CHECKSUM.exec(text.slice(split))?.[1];
  if (sum === undefined) return 'was cut off inside its checksum';
  if (sum !== checksum(body)) return 'does not match its checksum: it was damaged or edited';
  const [, generation, driver, created = '', secret = ''] = BODY.exec(body) ?? [];
  const createdAt = Date.parse(created);
  if (generation === undefined || (driver !== 'wireguard' && driver !== 'ipsec') || Number.isNaN(createdAt))
    return 'is of a format that this version does not know; a newer sheath wrote it';
  try {
    return entryOf({
      generation: Number(generation),
      driver,
      createdAt,
      privateKey: PrivateKey.parse(secret),
    });
  } catch {
    return 'holds no private key of 32 bytes';
  }
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** struct nlattr: reading what is in one, and never more. */
import { WireGuardError } from '../errors.ts';
import { KEY_LENGTH } from '../keys.ts';
import { HEADER } from './uapi.ts';

/** With its header; checked, so that no attribute reaches past the one that holds it. */
export function attributeLength(buffer: Buffer, at: number, end: number): number {
  const length = buffer.readUInt16LE(at);
  if (length < HEADER.attribute || at + length > end) {
    throw new WireGuardError(
      'BAD_ANSWER',
      `a netlink attribute of ${length} bytes where ${end - at} are left`,
    );
  }
  return length;
}

/** The key that begins at `value`; shorter than one where the attribute ends before. */
export function keyBytes(buffer: Buffer, value: number, end: number): Uint8Array {
  return buffer.subarray(value, Math.min(value + KEY_LENGTH, end));
}

/** Exact up to 2^53: eight petabytes. */
export function u64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + buffer.readUInt32LE(at);
}

/**
 * Writes netlink messages into one buffer, in place: the header of the message first, its attributes behind it, and the
 * lengths once they are known. Integers are little-endian, as on every machine the socket's native part is built for.
 */
import { HEADER, NLA_F_NESTED } from './uapi.ts';

/** An attribute's length is a u16 and holds its header; the next one starts at a multiple of four. */
export const ATTRIBUTE_LIMIT = 65_532;

export class MessageWriter {
  readonly #buffer: Buffer;
  #length = 0;

  /** @param capacity bytes; more than that in one message is a RangeError. */
  constructor(capacity: number) {
    this.#buffer = Buffer.alloc(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** A new message of a generic netlink family; the channel fills in type, flags and sequence. */
  beginGeneric(command: number, version: number): void {
    this.#begin(HEADER.generic);
    this.#buffer[HEADER.message] = command;
    this.#buffer[HEADER.message + 1] = version;
  }

  /** A new message of rtnetlink about links of any kind: a struct ifinfomsg of zeros. */
  beginLink(): void {
    this.#begin(HEADER.link);
  }

  #begin(header: number): void {
    this.#buffer.fill(0, 0, HEADER.message + header);
    this.#length = HEADER.message + header;
  }

  u8(type: number, value: number): void {
    const at = this.#attribute(type, 1);
    this.#buffer.writeUInt32LE(0, at); // the padding too
    this.#buffer[at] = value;
  }

  u16(type: number, value: number): void {
    this.#buffer.writeUInt32LE(value, this.#attribute(type, 2));
  }

  u32(type: number, value: number): void {
    this.#buffer.writeUInt32LE(value, this.#attribute(type, 4));
  }

  bytes(type: number, value: Uint8Array): void {
    const at = this.#attribute(type, value.length);
    this.#buffer.set(value, at);
    this.#buffer.fill(0, at + value.length, this.#length);
  }

  /** NUL-terminated. */
  text(type: number, value: string): void {
    this.bytes(type, Buffer.from(`${value}\0`));
  }

  /** Opens an attribute that holds attributes; `end` with what this gives closes it. */
  nest(type: number): number {
    const start = this.#length;
    this.#attribute(type | NLA_F_NESTED, 0);
    return start;
  }

  end(start: number): void {
    this.#buffer.writeUInt16LE(this.#length - start, start);
  }

  /** The message so far, its length written; good until the next `begin`. */
  message(): Buffer {
    this.#buffer.writeUInt32LE(this.#length, 0);
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets what was written: it may have been a key. */
  clear(): void {
    this.#buffer.fill(0);
    this.#length = 0;
  }

  /** Writes the header, makes room, says where the value goes. */
  #attribute(type: number, length: number): number {
    const at = this.#length;
    const whole = HEADER.attribute + length;
    const next = at + ((whole + 3) & ~3);
    if (next > this.#buffer.length) throw new RangeError(`netlink message over ${this.#buffer.length} bytes`);
    this.#buffer.writeUInt16LE(whole, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    this.#length = next;
    return at + HEADER.attribute;
  }
}

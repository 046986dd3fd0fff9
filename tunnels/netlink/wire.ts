/**
 * Netlink messages and attributes as bytes (linux/netlink.h, RFC 3549).
 *
 * The `netlink` package gives the socket; its own formatters ignore fields they do not know (a misspelt one installs another
 * rule than the one meant), hold one message a send, and cost more than the kernel does at 20,000 routes. So the few messages
 * used here are written and read by this file. Netlink is in host byte order: little-endian on all platforms the package is built for.
 */

export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  DUMP: 0x300,
  /** In an answer: the dump is inconsistent, ask again. */
  DUMP_INTR: 0x10,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
} as const;

export const NLMSG = { ERROR: 2, DONE: 3 } as const;

const HEADER = 16;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

const align = (length: number) => (length + 3) & ~3;

/** Writes messages one after the other into one buffer, which is what one `sendmsg` takes. */
export class MessageWriter {
  #buffer = Buffer.alloc(4096);
  #length = 0;
  #start = 0;

  get length(): number {
    return this.#length;
  }

  begin(type: number, flags: number): void {
    this.#start = this.#length;
    const at = this.#grow(HEADER);
    this.#buffer.writeUInt16LE(type, at + 4);
    this.#buffer.writeUInt16LE(flags | NLM_F.REQUEST, at + 6);
  }

  /** Closes the message begun last. */
  end(sequence: number): void {
    this.#buffer.writeUInt32LE(this.#length - this.#start, this.#start);
    this.#buffer.writeUInt32LE(sequence, this.#start + 8);
  }

  /** Asks the kernel to acknowledge the message begun last: it handles messages in order, so that stands for all before it. */
  acknowledge(): void {
    const at = this.#start + 6;
    this.#buffer.writeUInt16LE(this.#buffer.readUInt16LE(at) | NLM_F.ACK, at);
  }

  /** The family's fixed header, a `struct` of bytes and 32-bit words. */
  struct(bytes: readonly number[], words: readonly number[] = []): void {
    const at = this.#grow(bytes.length + words.length * 4);
    for (const [i, byte] of bytes.entries()) this.#buffer[at + i] = byte;
    for (const [i, word] of words.entries()) {
      this.#buffer.writeUInt32LE(word >>> 0, at + bytes.length + i * 4);
    }
  }

  bytes(type: number, value: Uint8Array): void {
    const at = this.#attribute(type, value.length);
    this.#buffer.set(value, at);
  }

  // Room is made first: that may put another buffer in the place of this one.
  u8(type: number, value: number): void {
    const at = this.#attribute(type, 1);
    this.#buffer[at] = value;
  }

  u32(type: number, value: number): void {
    const at = this.#attribute(type, 4);
    this.#buffer.writeUInt32LE(value >>> 0, at);
  }

  /** NUL-terminated. */
  string(type: number, value: string): void {
    this.bytes(type, Buffer.from(`${value}\0`));
  }

  nested(type: number, fill: () => void): void {
    const at = this.#grow(4);
    fill();
    this.#buffer.writeUInt16LE(this.#length - at, at);
    this.#buffer.writeUInt16LE(type | NLA_F_NESTED, at + 2);
  }

  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.alloc(4096);
    this.#length = 0;
    return taken;
  }

  #attribute(type: number, length: number): number {
    const at = this.#grow(4 + length);
    this.#buffer.writeUInt16LE(4 + length, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    return at + 4;
  }

  #grow(length: number): number {
    const at = this.#length;
    this.#length = at + align(length);
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length));
      this.#buffer.copy(larger);
      this.#buffer = larger;
    }
    return at;
  }
}

/** One received message; `body` begins after `struct nlmsghdr`. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port of the socket whose request it answers or was caused by; 0: the kernel's own doing. */
  readonly port: number;
  readonly body: Buffer;
}

export function* messages(datagram: Buffer): Generator<Message> {
  let at = 0;
  while (at + HEADER <= datagram.length) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER || at + length > datagram.length) return;
    yield {
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      port: datagram.readUInt32LE(at + 12),
      body: datagram.subarray(at + HEADER, at + length),
    };
    at += align(length);
  }
}

/** How many of its bytes are whole messages: a stream may end within one. */
export function wholeMessages(stream: Buffer): number {
  let at = 0;
  while (at + HEADER <= stream.length) {
    const length = Math.max(HEADER, stream.readUInt32LE(at));
    if (at + length > stream.length) break;
    at = Math.min(at + align(length), stream.length);
  }
  return at;
}

/** Attributes by type, without the nested and byte-order flags; `from` is the length of the family's fixed header. */
export function attributes(body: Buffer, from: number): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  let at = from;
  while (at + 4 <= body.length) {
    const length = body.readUInt16LE(at);
    if (length < 4 || at + length > body.length) return found;
    found.set(body.readUInt16LE(at + 2) & NLA_TYPE_MASK, body.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

export function textOf(attribute: Buffer | undefined): string | undefined {
  if (attribute === undefined) return undefined;
  const end = attribute.indexOf(0);
  return attribute.toString('utf8', 0, end < 0 ? attribute.length : end);
}

export function u32Of(attribute: Buffer | undefined): number | undefined {
  return attribute === undefined || attribute.length < 4 ? undefined : attribute.readUInt32LE(0);
}

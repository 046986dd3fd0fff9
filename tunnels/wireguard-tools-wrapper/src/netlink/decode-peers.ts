/** The peers of one message of a dump. */
import { formatAddress } from '../address.ts';
import { WireGuardError } from '../errors.ts';
import { PresharedKey, type PublicKey, publicKeyFromBytes } from '../keys.ts';
import type { Endpoint, Peer } from '../types.ts';
import { zoneName } from '../zone.ts';
import { attributeLength, keyBytes, u64 } from './attribute.ts';
import { AF, HEADER, NLA_TYPE_MASK, SOCKADDR, WGALLOWEDIP_A, WGPEER_A } from './uapi.ts';

type Draft = { -readonly [K in keyof Peer]: Peer[K] };

/** A peer, or the rest of one, and where its attributes stand in what the message says of peers. */
export interface PeerPart {
  readonly start: number;
  readonly end: number;
  readonly peer: Peer;
}

/** What one message of a dump said of peers, preshared keys among it, and what was made of that. */
export interface PeersTold {
  readonly bytes: Buffer;
  readonly parts: readonly PeerPart[];
}

/** Takes over what has the same bytes as in the dump before, so that of thousands of peers only what changed is made anew. */
export class PeersDecoder {
  readonly #buffer: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #before: PeersTold | undefined;
  /** What stood in the place of the peer that is being read: the same peer, as a rule. */
  #known: PeerPart | undefined;
  /** From a place in `#buffer` to the same place of `#known`. */
  #shift = 0;

  /** @param before what the dump before said in this place; not valid any more once this one was read. */
  constructor(buffer: Buffer, [start, end]: readonly [number, number], before: PeersTold | undefined) {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
    this.#before = before;
  }

  read(): PeersTold {
    const parts: PeerPart[] = [];
    for (let at = this.#start; at + HEADER.attribute <= this.#end; ) {
      const length = attributeLength(this.#buffer, at, this.#end);
      const start = at + HEADER.attribute;
      const end = at + length;
      this.#known = this.#before?.parts[parts.length];
      this.#shift = (this.#known?.start ?? 0) - start;
      const known = this.#known?.end === end + this.#shift ? this.#asBefore(start, end) : undefined;
      const peer = known ?? this.#readPeer(start, end);
      parts.push({ start: start - this.#start, end: end - this.#start, peer });
      at += (length + 3) & ~3;
    }
    return { bytes: this.#copy(), parts };
  }

  /** What was made of these bytes, when they are the same. */
  #asBefore(at: number, end: number): Peer | undefined {
    const known = this.#known;
    const shift = this.#shift;
    if (known === undefined || end + shift > known.end) return undefined;
    const same = this.#before?.bytes.compare(this.#buffer, at, end, at + shift, end + shift) === 0;
    return same ? known.peer : undefined;
  }

  #readPeer(start: number, end: number): Peer {
    const draft: Draft = {
      publicKey: NO_KEY,
      allowedIps: [],
      receivedBytes: 0,
      sentBytes: 0,
      persistentKeepalive: 0,
      protocolVersion: 0,
    };
    for (let at = start; at + HEADER.attribute <= end; ) {
      const length = attributeLength(this.#buffer, at, end);
      this.#readAttribute(draft, at, length);
      at += (length + 3) & ~3;
    }
    if (draft.publicKey !== NO_KEY) return draft;
    throw new WireGuardError('BAD_ANSWER', 'the kernel sent a peer without a public key');
  }

  #readAttribute(draft: Draft, at: number, length: number): void {
    const buffer = this.#buffer;
    const value = at + HEADER.attribute;
    const end = at + length;
    switch (buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK) {
      case WGPEER_A.publicKey:
        draft.publicKey =
          this.#asBefore(at, end)?.publicKey ?? publicKeyFromBytes(keyBytes(buffer, value, end));
        break;
      case WGPEER_A.presharedKey: {
        const known = this.#asBefore(at, end);
        const key = known === undefined ? readPresharedKey(buffer, value, end) : known.presharedKey;
        if (key !== undefined) draft.presharedKey = key;
        break;
      }
      case WGPEER_A.endpoint: {
        const endpoint = this.#asBefore(at, end)?.endpoint ?? decodeSockaddr(buffer, value, end);
        if (endpoint !== undefined) draft.endpoint = endpoint;
        break;
      }
      case WGPEER_A.allowedIps:
        draft.allowedIps = this.#asBefore(at, end)?.allowedIps ?? readAllowedIps(buffer, value, end);
        break;
      case WGPEER_A.persistentKeepalive:
        draft.persistentKeepalive = buffer.readUInt16LE(value);
        break;
      case WGPEER_A.lastHandshake:
        readHandshake(draft, buffer, value);
        break;
      case WGPEER_A.rxBytes:
        draft.receivedBytes = u64(buffer, value);
        break;
      case WGPEER_A.txBytes:
        draft.sentBytes = u64(buffer, value);
        break;
      case WGPEER_A.protocolVersion:
        draft.protocolVersion = buffer.readUInt32LE(value);
        break;
    }
  }

  /** The datagram is overwritten by the next one. Into the same memory where that has the right size. */
  #copy(): Buffer {
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    const known = this.#before?.bytes;
    if (known?.length !== bytes.length) return Buffer.from(bytes);
    bytes.copy(known);
    return known;
  }
}

const NO_KEY = '' as PublicKey;

/** All zeros: none. */
function readPresharedKey(buffer: Buffer, value: number, end: number): PresharedKey | undefined {
  const bytes = keyBytes(buffer, value, end);
  return bytes.some((byte) => byte !== 0) ? PresharedKey.fromBytes(bytes) : undefined;
}

/** struct __kernel_timespec: seconds and nanoseconds, 64 bits each; zeros before the first handshake. */
function readHandshake(draft: Draft, buffer: Buffer, at: number): void {
  const milliseconds = u64(buffer, at) * 1000 + Math.floor(u64(buffer, at + 8) / 1_000_000);
  if (milliseconds > 0) draft.latestHandshake = milliseconds;
}

function readAllowedIps(buffer: Buffer, start: number, end: number): readonly string[] {
  const list: string[] = [];
  for (let at = start; at + HEADER.attribute <= end; ) {
    const length = attributeLength(buffer, at, end);
    list.push(readAllowedIp(buffer, at + HEADER.attribute, at + length));
    at += (length + 3) & ~3;
  }
  return list;
}

function readAllowedIp(buffer: Buffer, start: number, end: number): string {
  let address = '';
  let bits = 0;
  for (let at = start; at + HEADER.attribute <= end; ) {
    const length = attributeLength(buffer, at, end);
    const value = at + HEADER.attribute;
    const type = buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK;
    if (type === WGALLOWEDIP_A.address) address = formatAddress(buffer, value, length - HEADER.attribute);
    else if (type === WGALLOWEDIP_A.length) bits = buffer[value] ?? 0;
    at += (length + 3) & ~3;
  }
  return `${address}/${bits}`;
}

/** struct sockaddr_in or sockaddr_in6; undefined for any other family. */
export function decodeSockaddr(buffer: Buffer, at: number, end: number): Endpoint | undefined {
  const family = buffer.readUInt16LE(at);
  if (family === AF.inet && end - at >= SOCKADDR.inet) {
    return { address: formatAddress(buffer, at + 4, 4), port: buffer.readUInt16BE(at + 2) };
  }
  if (family !== AF.inet6 || end - at < SOCKADDR.inet6) return undefined;
  const zone = buffer.readUInt32LE(at + 24);
  const address = formatAddress(buffer, at + 8, 16);
  return {
    address: zone === 0 ? address : `${address}%${zoneName(zone)}`,
    port: buffer.readUInt16BE(at + 2),
  };
}

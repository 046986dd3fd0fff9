/**
 * The dump of WG_CMD_GET_DEVICE into a `Device`, straight from the datagrams: thousands of peers arrive in messages of a few
 * dozen, the device's own attributes in the first, and a peer whose allowed IPs do not fit goes on in the next message under
 * the same public key.
 */
import { formatAddress } from '../address.ts';
import { WireGuardError } from '../errors.ts';
import { KEY_LENGTH, PresharedKey, PrivateKey, type PublicKey, publicKeyFromBytes } from '../keys.ts';
import type { Device, Endpoint, Peer, ShowOptions } from '../types.ts';
import { zoneName } from '../zone.ts';
import { AF, HEADER, NLA_TYPE_MASK, SOCKADDR, WGALLOWEDIP_A, WGDEVICE_A, WGPEER_A } from './uapi.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface PeerDraft extends Mutable<Omit<Peer, 'allowedIps'>> {
  readonly allowedIps: string[];
}

export class DeviceDecoder {
  readonly #peers: PeerDraft[] = [];
  readonly #device: Mutable<Device>;
  /** Type of the attribute that is not read. */
  readonly #skipped: number | undefined;

  constructor(name: string, { allowedIps = true }: ShowOptions = {}) {
    this.#skipped = allowedIps ? undefined : WGPEER_A.allowedIps;
    this.#device = { name, listenPort: 0, fwmark: 0, peers: this.#peers };
  }

  get device(): Device {
    return this.#device;
  }

  /** Takes the attributes of one message, `start` to `end` of `buffer`. */
  push(buffer: Buffer, start: number, end: number): void {
    const device = this.#device;
    for (let at = start; at + HEADER.attribute <= end; ) {
      const length = attributeLength(buffer, at, end);
      const value = at + HEADER.attribute;
      switch (buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK) {
        case WGDEVICE_A.privateKey:
          device.privateKey = PrivateKey.fromBytes(key(buffer, value, length));
          break;
        case WGDEVICE_A.publicKey:
          device.publicKey = publicKeyFromBytes(key(buffer, value, length));
          break;
        case WGDEVICE_A.listenPort:
          device.listenPort = buffer.readUInt16LE(value);
          break;
        case WGDEVICE_A.fwmark:
          device.fwmark = buffer.readUInt32LE(value);
          break;
        case WGDEVICE_A.peers:
          this.#pushPeers(buffer, value, at + length);
          break;
      }
      at += (length + 3) & ~3;
    }
  }

  #pushPeers(buffer: Buffer, start: number, end: number): void {
    for (let at = start; at + HEADER.attribute <= end; ) {
      const length = attributeLength(buffer, at, end);
      this.#pushPeer(buffer, at + HEADER.attribute, at + length);
      at += (length + 3) & ~3;
    }
  }

  #pushPeer(buffer: Buffer, start: number, end: number): void {
    const draft = this.#draft(peerKey(buffer, start, end));
    for (let at = start; at + HEADER.attribute <= end; ) {
      const length = attributeLength(buffer, at, end);
      if ((buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK) !== this.#skipped)
        readPeerAttribute(draft, buffer, at, length);
      at += (length + 3) & ~3;
    }
  }

  /** The peer of that key: the last one, when its list goes on. */
  #draft(publicKey: PublicKey): PeerDraft {
    const last = this.#peers[this.#peers.length - 1];
    if (last?.publicKey === publicKey) return last;
    const draft: PeerDraft = {
      publicKey,
      allowedIps: [],
      receivedBytes: 0,
      sentBytes: 0,
      persistentKeepalive: 0,
      protocolVersion: 0,
    };
    this.#peers.push(draft);
    return draft;
  }
}

/** The kernel writes it first. */
function peerKey(buffer: Buffer, start: number, end: number): PublicKey {
  for (let at = start; at + HEADER.attribute <= end; ) {
    const length = attributeLength(buffer, at, end);
    if ((buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK) === WGPEER_A.publicKey) {
      return publicKeyFromBytes(key(buffer, at + HEADER.attribute, length));
    }
    at += (length + 3) & ~3;
  }
  throw new WireGuardError('BAD_ANSWER', 'the kernel sent a peer without a public key');
}

function readPeerAttribute(draft: PeerDraft, buffer: Buffer, at: number, length: number): void {
  const value = at + HEADER.attribute;
  switch (buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK) {
    case WGPEER_A.presharedKey:
      readPresharedKey(draft, key(buffer, value, length));
      break;
    case WGPEER_A.endpoint: {
      const endpoint = decodeSockaddr(buffer, value, at + length);
      if (endpoint !== undefined) draft.endpoint = endpoint;
      break;
    }
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
    case WGPEER_A.allowedIps:
      pushAllowedIps(draft.allowedIps, buffer, value, at + length);
      break;
    case WGPEER_A.protocolVersion:
      draft.protocolVersion = buffer.readUInt32LE(value);
      break;
  }
}

/** All zeros: none. */
function readPresharedKey(draft: PeerDraft, bytes: Uint8Array): void {
  if (bytes.some((byte) => byte !== 0)) draft.presharedKey = PresharedKey.fromBytes(bytes);
}

/** struct __kernel_timespec: seconds and nanoseconds, 64 bits each; zeros before the first handshake. */
function readHandshake(draft: PeerDraft, buffer: Buffer, at: number): void {
  const milliseconds = u64(buffer, at) * 1000 + Math.floor(u64(buffer, at + 8) / 1_000_000);
  if (milliseconds > 0) draft.latestHandshake = milliseconds;
}

function pushAllowedIps(list: string[], buffer: Buffer, start: number, end: number): void {
  for (let at = start; at + HEADER.attribute <= end; ) {
    const length = attributeLength(buffer, at, end);
    list.push(decodeAllowedIp(buffer, at + HEADER.attribute, at + length));
    at += (length + 3) & ~3;
  }
}

function decodeAllowedIp(buffer: Buffer, start: number, end: number): string {
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

/** With its header; checked, so that no attribute reaches past the one that holds it. */
function attributeLength(buffer: Buffer, at: number, end: number): number {
  const length = buffer.readUInt16LE(at);
  if (length < HEADER.attribute || at + length > end) {
    throw new WireGuardError(
      'BAD_ANSWER',
      `a netlink attribute of ${length} bytes where ${end - at} are left`,
    );
  }
  return length;
}

function key(buffer: Buffer, value: number, length: number): Uint8Array {
  return buffer.subarray(value, value + Math.min(KEY_LENGTH, length - HEADER.attribute));
}

/** Exact up to 2^53: eight petabytes. */
function u64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + buffer.readUInt32LE(at);
}

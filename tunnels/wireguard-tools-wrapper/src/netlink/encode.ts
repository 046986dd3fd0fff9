/**
 * A `DeviceChange` as WG_CMD_SET_DEVICE messages, each as full as an attribute may be. What does not fit goes on in the next
 * message, as linux/wireguard.h describes: flags that replace stand only in the first message of the device, and of the
 * peer. A continued peer is marked "update only", so that one removed meanwhile does not come back as half a peer.
 */
import { type Prefix, parseAddress, parsePrefix } from '../address.ts';
import { WireGuardError } from '../errors.ts';
import { publicKeyBytes } from '../keys.ts';
import type { DeviceChange, Endpoint, PeerChange } from '../types.ts';
import { zoneIndex } from '../zone.ts';
import {
  AF,
  SOCKADDR,
  WG_GENL,
  WGALLOWEDIP_A,
  WGALLOWEDIP_F,
  WGDEVICE_A,
  WGDEVICE_F,
  WGPEER_A,
  WGPEER_F,
} from './uapi.ts';
import { ATTRIBUTE_LIMIT, type MessageWriter } from './writer.ts';

const ZERO_KEY = new Uint8Array(32);

/** The most that one peer without its allowed IPs takes, and one allowed IP, in bytes with all headers. */
const PEER_ROOM = 4 + 36 + 36 + 8 + 32 + 8 + 4;
const ALLOWED_IP_ROOM = 4 + 8 + 20 + 8 + 8;

/** Bytes a writer needs for the largest message: all peers that fit, what stands before them, and the headers. */
export const SET_MESSAGE_BYTES = ATTRIBUTE_LIMIT + 256;

/** What one `PeerChange` asks, parsed before the first message is sent: a bad prefix changes nothing. */
interface PeerPart {
  readonly peer: PeerChange;
  readonly prefixes: readonly Prefix[];
  readonly sockaddr?: Uint8Array;
  /** The prefixes are taken away from the peer, not given to it. */
  readonly takeAway: boolean;
}

/** Messages that make `change`, `removeAllowedIps` left out. Each is good until the next is asked for. */
export function* encodeChange(
  writer: MessageWriter,
  device: string,
  change: DeviceChange,
): Generator<Buffer> {
  const parts = (change.peers ?? []).map((peer) => ({
    peer,
    prefixes: (peer.allowedIps ?? []).map(parsePrefix),
    takeAway: false,
    ...(peer.endpoint && { sockaddr: encodeSockaddr(peer.endpoint) }),
  }));
  yield* new SetEncoder(writer, device, change).messages(parts);
}

/** Messages that take each peer's `removeAllowedIps` away, for kernels that know WGALLOWEDIP_F_REMOVE_ME. */
export function* encodeRemovals(
  writer: MessageWriter,
  device: string,
  peers: readonly PeerChange[],
): Generator<Buffer> {
  const parts = peers.map(({ publicKey, removeAllowedIps = [] }) => ({
    peer: { publicKey, updateOnly: true },
    prefixes: removeAllowedIps.map(parsePrefix),
    takeAway: true,
  }));
  yield* new SetEncoder(writer, device, {}).messages(parts);
}

class SetEncoder {
  readonly #writer: MessageWriter;
  readonly #device: string;
  readonly #change: DeviceChange;
  #peers = 0;

  constructor(writer: MessageWriter, device: string, change: DeviceChange) {
    this.#writer = writer;
    this.#device = device;
    this.#change = change;
  }

  *messages(parts: readonly PeerPart[]): Generator<Buffer> {
    this.#begin();
    this.#deviceAttributes();
    this.#peers = this.#writer.nest(WGDEVICE_A.peers);
    for (const part of parts) {
      if (!this.#fits(PEER_ROOM + ALLOWED_IP_ROOM)) {
        yield this.#finish();
        this.#continue();
      }
      yield* this.#peer(part);
    }
    yield this.#finish();
  }

  #begin(): void {
    this.#writer.beginGeneric(WG_GENL.setDevice, WG_GENL.version);
    this.#writer.text(WGDEVICE_A.ifname, this.#device);
  }

  #continue(): void {
    this.#begin();
    this.#peers = this.#writer.nest(WGDEVICE_A.peers);
  }

  #finish(): Buffer {
    this.#writer.end(this.#peers);
    return this.#writer.message();
  }

  #fits(bytes: number): boolean {
    return this.#writer.length - this.#peers + bytes <= ATTRIBUTE_LIMIT;
  }

  #deviceAttributes(): void {
    const { privateKey, listenPort, fwmark, replacePeers = false } = this.#change;
    const writer = this.#writer;
    if (replacePeers) writer.u32(WGDEVICE_A.flags, WGDEVICE_F.replacePeers);
    if (privateKey !== undefined) writer.bytes(WGDEVICE_A.privateKey, privateKey?.bytes() ?? ZERO_KEY);
    if (listenPort !== undefined) writer.u16(WGDEVICE_A.listenPort, listenPort);
    if (fwmark !== undefined) writer.u32(WGDEVICE_A.fwmark, fwmark ?? 0);
  }

  *#peer(part: PeerPart): Generator<Buffer> {
    const { peer, prefixes, takeAway } = part;
    const writer = this.#writer;
    let nest = writer.nest(0);
    this.#peerAttributes(part);
    let list = writer.nest(WGPEER_A.allowedIps);
    for (const prefix of prefixes) {
      if (!this.#fits(ALLOWED_IP_ROOM)) {
        writer.end(list);
        writer.end(nest);
        yield this.#finish();
        this.#continue();
        nest = writer.nest(0);
        writer.bytes(WGPEER_A.publicKey, publicKeyBytes(peer.publicKey));
        writer.u32(WGPEER_A.flags, WGPEER_F.updateOnly);
        list = writer.nest(WGPEER_A.allowedIps);
      }
      this.#allowedIp(prefix, takeAway);
    }
    writer.end(list);
    writer.end(nest);
  }

  #peerAttributes({ peer, sockaddr }: PeerPart): void {
    const { publicKey, presharedKey, persistentKeepalive } = peer;
    const writer = this.#writer;
    writer.bytes(WGPEER_A.publicKey, publicKeyBytes(publicKey));
    const flags = peerFlags(peer);
    if (flags !== 0) writer.u32(WGPEER_A.flags, flags);
    if (presharedKey !== undefined) writer.bytes(WGPEER_A.presharedKey, presharedKey?.bytes() ?? ZERO_KEY);
    if (sockaddr !== undefined) writer.bytes(WGPEER_A.endpoint, sockaddr);
    if (persistentKeepalive !== undefined) writer.u16(WGPEER_A.persistentKeepalive, persistentKeepalive);
  }

  #allowedIp({ bytes, length }: Prefix, takeAway: boolean): void {
    const writer = this.#writer;
    const nest = writer.nest(0);
    writer.u16(WGALLOWEDIP_A.family, bytes.length === 4 ? AF.inet : AF.inet6);
    writer.bytes(WGALLOWEDIP_A.address, bytes);
    writer.u8(WGALLOWEDIP_A.length, length);
    if (takeAway) writer.u32(WGALLOWEDIP_A.flags, WGALLOWEDIP_F.removeMe);
    writer.end(nest);
  }
}

function peerFlags({ remove = false, updateOnly = false, replaceAllowedIps = false }: PeerChange): number {
  return (
    (remove ? WGPEER_F.removeMe : 0) |
    (replaceAllowedIps ? WGPEER_F.replaceAllowedIps : 0) |
    (updateOnly ? WGPEER_F.updateOnly : 0)
  );
}

/** struct sockaddr_in or sockaddr_in6: the family in host order, port and address in network order. */
export function encodeSockaddr({ address, port }: Endpoint): Uint8Array {
  const [text = '', zone] = address.split('%', 2);
  const bytes = parseAddress(text);
  if (bytes === undefined) {
    throw new WireGuardError('INVALID', `${JSON.stringify(address)} is no address an endpoint can have`);
  }
  const inet = bytes.length === 4;
  const sockaddr = Buffer.alloc(inet ? SOCKADDR.inet : SOCKADDR.inet6);
  sockaddr.writeUInt16LE(inet ? AF.inet : AF.inet6, 0);
  sockaddr.writeUInt16BE(port, 2);
  sockaddr.set(bytes, inet ? 4 : 8);
  if (!inet && zone !== undefined) sockaddr.writeUInt32LE(zoneIndex(zone), 24);
  return sockaddr;
}

/**
 * The dump of WG_CMD_GET_DEVICE into a `Device`, straight from the datagrams: thousands of peers arrive in messages of a few
 * dozen, the device's own attributes in the first, and a peer whose allowed IPs do not fit goes on in the next message under
 * the same public key.
 */
import { PrivateKey, publicKeyFromBytes } from '../keys.ts';
import type { Device, Peer } from '../types.ts';
import { attributeLength, keyBytes } from './attribute.ts';
import { PeersDecoder, type PeersTold } from './decode-peers.ts';
import { HEADER, NLA_TYPE_MASK, WGDEVICE_A } from './uapi.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What the last dump of a device said of peers, message by message. */
export type DumpMemory = PeersTold[];

export class DeviceDecoder {
  readonly #peers: Peer[] = [];
  readonly #device: Mutable<Device>;
  readonly #memory: DumpMemory;
  #messages = 0;

  /** @param memory of an earlier dump, brought up to date by this one: what did not change since is the same object again. */
  constructor(name: string, memory: DumpMemory = []) {
    this.#memory = memory;
    this.#device = { name, listenPort: 0, fwmark: 0, peers: this.#peers };
  }

  /** When all messages were pushed. */
  finish(): Device {
    this.#memory.length = this.#messages;
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
          device.privateKey = PrivateKey.fromBytes(keyBytes(buffer, value, at + length));
          break;
        case WGDEVICE_A.publicKey:
          device.publicKey = publicKeyFromBytes(keyBytes(buffer, value, at + length));
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
    const message = this.#messages++;
    const told = new PeersDecoder(buffer, [start, end], this.#memory[message]).read();
    this.#memory[message] = told;
    for (const { peer } of told.parts) this.#take(peer);
  }

  /** A part under the key of the last peer is the rest of its list. */
  #take(peer: Peer): void {
    const last = this.#peers.at(-1);
    if (last?.publicKey !== peer.publicKey) this.#peers.push(peer);
    else this.#peers.splice(-1, 1, { ...last, allowedIps: [...last.allowedIps, ...peer.allowedIps] });
  }
}

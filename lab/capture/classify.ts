/** What a frame on the underlay is; pure. */
import { BlockList, isIPv6 } from 'node:net';
import type { Topology } from '../nodes/topology.ts';
import { MARKER } from '../traffic/flow.ts';

export type FrameKind =
  /** A WireGuard message on one of the mesh's ports. */
  | 'wireguard'
  /** ESP, by itself or in UDP, or IKE. */
  | 'ipsec'
  /** A packet that anybody on the wire can read: a pod's address, or the marker that the lab's traffic carries. */
  | 'clear'
  /** Neighbour discovery, the API, and whatever else nodes say to each other. */
  | 'other';

export interface Classified {
  readonly kind: FrameKind;
  /** Undefined for what is not IP. */
  readonly from?: string;
  readonly to?: string;
}

export type Classifier = (frame: Buffer) => Classified;

const ETHERNET_HEADER = 14;
const UDP = 17;
const ESP = 50;
/** UDP ports of IKE, and of IKE and ESP behind NAT (RFC 7296, RFC 3948). */
const IKE_PORTS: readonly number[] = [500, 4500];
const FRAGMENT_HEADER = 44;

export interface ClassifierOptions {
  /** UDP ports of the mesh; `MESH_PORTS`. */
  readonly ports?: readonly number[];
}

export const MESH_PORTS: readonly number[] = [51830, 51831];

export function classifier(lab: Topology, options: ClassifierOptions = {}): Classifier {
  const ports = new Set(options.ports ?? MESH_PORTS);
  const pods = new BlockList();
  for (const prefix of lab.members.flatMap((node) => node.podCIDRs)) {
    const [network = '', length] = prefix.split('/');
    pods.addSubnet(network, Number(length), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  const isPod = (address: string): boolean => pods.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  return (frame) => {
    const packet = readPacket(frame);
    if (packet === undefined) return { kind: 'other' };
    const { from, to } = packet;
    if (isWireguard(packet, ports)) return { kind: 'wireguard', from, to };
    // ESP can also be without encryption, and a pod's.
    if (isPod(from) || isPod(to) || frame.includes(MARKER)) return { kind: 'clear', from, to };
    return { kind: isIpsec(packet) ? 'ipsec' : 'other', from, to };
  };
}

interface Packet {
  readonly from: string;
  readonly to: string;
  /** Of the transport; fragments after the first have none. */
  readonly protocol?: number;
  readonly payload: Buffer;
}

/** Types 1 to 4 and three reserved zeros begin every message (WireGuard paper, 5.4). */
function isWireguard({ protocol, payload }: Packet, ports: ReadonlySet<number>): boolean {
  if (protocol !== UDP || payload.length < 12) return false;
  if (!ports.has(payload.readUInt16BE(0)) && !ports.has(payload.readUInt16BE(2))) return false;
  const word = payload.readUInt32LE(8);
  return word >= 1 && word <= 4;
}

function isIpsec({ protocol, payload }: Packet): boolean {
  if (protocol === ESP) return true;
  if (protocol !== UDP || payload.length < 8) return false;
  return IKE_PORTS.includes(payload.readUInt16BE(0)) || IKE_PORTS.includes(payload.readUInt16BE(2));
}

function readPacket(frame: Buffer): Packet | undefined {
  if (frame.length < ETHERNET_HEADER + 20) return undefined;
  const packet = frame.subarray(ETHERNET_HEADER);
  switch (frame.readUInt16BE(12)) {
    case 0x0800:
      return readIpv4(packet);
    case 0x86dd:
      return packet.length < 40 ? undefined : readIpv6(packet);
    default:
      return undefined;
  }
}

function readIpv4(packet: Buffer): Packet {
  const isLaterFragment = (packet.readUInt16BE(6) & 0x1fff) !== 0;
  return {
    from: [...packet.subarray(12, 16)].join('.'),
    to: [...packet.subarray(16, 20)].join('.'),
    ...(!isLaterFragment && { protocol: packet.readUInt8(9) }),
    payload: packet.subarray((packet.readUInt8(0) & 0xf) * 4),
  };
}

function readIpv6(packet: Buffer): Packet {
  const next = packet.readUInt8(6);
  const isFragment = next === FRAGMENT_HEADER && packet.length >= 48;
  const isLaterFragment = isFragment && (packet.readUInt16BE(42) & 0xfff8) !== 0;
  return {
    from: ipv6(packet.subarray(8, 24)),
    to: ipv6(packet.subarray(24, 40)),
    ...(!isLaterFragment && { protocol: isFragment ? packet.readUInt8(40) : next }),
    payload: packet.subarray(isFragment ? 48 : 40),
  };
}

function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

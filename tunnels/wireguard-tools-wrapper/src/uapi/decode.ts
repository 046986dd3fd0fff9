/** Answers of the userspace interface. */
import { canonicalPrefix, parseEndpoint } from '../address.ts';
import { WireGuardError } from '../errors.ts';
import { PresharedKey, PrivateKey, publicKeyFromBytes } from '../keys.ts';
import type { Device, Peer } from '../types.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface PeerDraft extends Mutable<Omit<Peer, 'allowedIps'>> {
  readonly allowedIps: string[];
}

interface Draft {
  readonly device: Mutable<Device>;
  readonly peers: PeerDraft[];
}

type Reader<T> = (target: T, value: string) => void;

const DEVICE: Readonly<Record<string, Reader<Mutable<Device>>>> = {
  private_key: (device, value) => {
    if (isZero(value)) return;
    device.privateKey = PrivateKey.fromBytes(Buffer.from(value, 'hex'));
    device.publicKey = device.privateKey.publicKey();
  },
  listen_port: (device, value) => {
    device.listenPort = Number(value);
  },
  fwmark: (device, value) => {
    device.fwmark = Number(value);
  },
};

const PEER: Readonly<Record<string, Reader<PeerDraft>>> = {
  preshared_key: (peer, value) => {
    if (!isZero(value)) peer.presharedKey = PresharedKey.fromBytes(Buffer.from(value, 'hex'));
  },
  protocol_version: (peer, value) => {
    peer.protocolVersion = Number(value);
  },
  endpoint: (peer, value) => {
    const endpoint = parseEndpoint(value);
    if (endpoint !== undefined) peer.endpoint = endpoint;
  },
  last_handshake_time_sec: (peer, value) => addHandshake(peer, Number(value) * 1000),
  last_handshake_time_nsec: (peer, value) => addHandshake(peer, Math.floor(Number(value) / 1_000_000)),
  tx_bytes: (peer, value) => {
    peer.sentBytes = Number(value);
  },
  rx_bytes: (peer, value) => {
    peer.receivedBytes = Number(value);
  },
  persistent_keepalive_interval: (peer, value) => {
    peer.persistentKeepalive = Number(value);
  },
  allowed_ip: (peer, value) => {
    peer.allowedIps.push(canonicalPrefix(value));
  },
};

/** The answer to `get=1`: the device's lines, then those of each peer, which begin with its public key. */
export function decodeDevice(name: string, answer: string): Device {
  const peers: PeerDraft[] = [];
  const draft: Draft = { device: { name, listenPort: 0, fwmark: 0, peers }, peers };
  for (const line of answer.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) readLine(draft, line.slice(0, equals), line.slice(equals + 1));
  }
  return draft.device;
}

/** Words of later versions are passed over. */
function readLine({ device, peers }: Draft, word: string, value: string): void {
  if (word === 'public_key') {
    peers.push(newPeer(value));
    return;
  }
  const peer = peers[peers.length - 1];
  if (peer === undefined) DEVICE[word]?.(device, value);
  else PEER[word]?.(peer, value);
}

function newPeer(publicKey: string): PeerDraft {
  return {
    publicKey: publicKeyFromBytes(Buffer.from(publicKey, 'hex')),
    allowedIps: [],
    receivedBytes: 0,
    sentBytes: 0,
    persistentKeepalive: 0,
    protocolVersion: 0,
  };
}

function addHandshake(peer: PeerDraft, milliseconds: number): void {
  if (milliseconds > 0) peer.latestHandshake = (peer.latestHandshake ?? 0) + milliseconds;
}

function isZero(hex: string): boolean {
  return /^0+$/.test(hex);
}

/** The `errno=` that ends every answer: 0, or a positive number of the system's. */
export function decodeErrno(answer: string): number {
  const match = /^errno=(-?\d+)$/m.exec(answer);
  if (match === null) throw new WireGuardError('BAD_ANSWER', 'the UAPI socket gave no errno');
  return Math.abs(Number(match[1]));
}

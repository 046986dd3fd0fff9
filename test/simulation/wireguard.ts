/** What WireGuard keeps of devices, peers and sessions. */
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName, DevicePlan, Prefix } from '../../mesh/types.ts';
import type { Kernel } from './kernel.ts';
import type { Packet } from './network.ts';

/** One for both ends: who lost it has another, or none. */
export interface Session {
  /** Milliseconds of the network's time. */
  readonly born: number;
  readonly initiator: Kernel;
}

export interface Peer {
  readonly publicKey: PublicKey;
  readonly node: string;
  allowedIPs: readonly Prefix[];
  keepalive: number;
  /** Of our own clock. */
  lastHandshake: number | undefined;
  session: Session | undefined;
  /** The one before: what was sent on it may still arrive. */
  former: Session | undefined;
  /** Made for the other's initiation, and not used before the first packet on it. */
  next: Session | undefined;
  /** Our own initiation that waits for its answer; the other's ends it. */
  asked: object | undefined;
  received: number;
  sent: number;
  /** The newest initiation that was seen, by the clock of whoever made it. */
  newestInitiation: number;
  /** When we sent a message of a handshake last, in the network's time. */
  spokeAt: number;
  /** Since when we heard data and said nothing; and since when we said data and heard nothing. */
  owedSince: number | undefined;
  unansweredSince: number | undefined;
  staged: Packet[];
  /** Initiations since something was to be sent; and whether one is under way. */
  tries: number;
  trying: boolean;
}

export interface Device {
  readonly name: DeviceName;
  readonly generation: number;
  /** What is modelled is WireGuard: of IPsec, that its handshakes carry no time, and that charon goes on asking by itself. */
  readonly driver: DevicePlan['driver'];
  publicKey: PublicKey;
  readonly peers: Map<PublicKey, Peer>;
}

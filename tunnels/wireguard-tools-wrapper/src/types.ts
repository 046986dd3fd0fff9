/** What a WireGuard device has (`Device`, `Peer`) and what a caller asks of it (`DeviceChange`, `PeerChange`). */
import type { PresharedKey, PrivateKey, PublicKey } from './keys.ts';

/** The verbs of wg(8) that speak to a device; one implementation over generic netlink, one over the UAPI socket. */
export interface WireGuard {
  /** Names of all WireGuard devices it can see: `wg show interfaces`. */
  interfaces(): Promise<string[]>;
  /** @throws WireGuardError `NO_SUCH_DEVICE`, `NOT_PERMITTED`, ... */
  show(device: string, options?: ShowOptions): Promise<Device>;
  /** Changes what is named, leaves the rest alone: `wg set`. */
  set(device: string, change: DeviceChange): Promise<void>;
  /** Frees the socket. */
  close(): void;
}

export interface ShowOptions {
  /**
   * What the same `WireGuard` answered before: peers, keys, endpoints and lists that did not change since are the same objects again. So
   * who reads thousands of peers every few seconds leaves little to collect. The kernel's only.
   */
  readonly known?: Device | undefined;
}

/** `10.0.0.1` or `2001:db8::1` (link-local ones with their zone, `fe80::1%eth0`), and a UDP port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** What the kernel has. */
export interface Device {
  readonly name: string;
  readonly privateKey?: PrivateKey;
  readonly publicKey?: PublicKey;
  readonly listenPort: number;
  /** 0: none. */
  readonly fwmark: number;
  readonly peers: readonly Peer[];
}

export interface Peer {
  readonly publicKey: PublicKey;
  readonly presharedKey?: PresharedKey;
  readonly endpoint?: Endpoint;
  /** Canonical text, in the order of the kernel: `10.0.0.0/24`, `fd00::/64`. */
  readonly allowedIps: readonly string[];
  /** Milliseconds since the epoch; undefined: none yet. */
  readonly latestHandshake?: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Seconds; 0: off. */
  readonly persistentKeepalive: number;
  readonly protocolVersion: number;
}

/** Absent: leave alone. `null`: clear. A value: set. */
export interface DeviceChange {
  readonly privateKey?: PrivateKey | null;
  /** 0: let the kernel choose. */
  readonly listenPort?: number;
  readonly fwmark?: number | null;
  /** Drop all peers not in `peers`: `setconf`. */
  readonly replacePeers?: boolean;
  readonly peers?: readonly PeerChange[];
}

export interface PeerChange {
  readonly publicKey: PublicKey;
  readonly remove?: boolean;
  /** Only if the peer exists already. */
  readonly updateOnly?: boolean;
  readonly presharedKey?: PresharedKey | null;
  readonly endpoint?: Endpoint;
  /** Seconds; 0: off. */
  readonly persistentKeepalive?: number;
  /** The peer's list is emptied first: for a moment nobody holds what it held. `syncconf` never does that. */
  readonly replaceAllowedIps?: boolean;
  /** Prefixes to add. One that another peer holds moves here, without a gap. */
  readonly allowedIps?: readonly string[];
  /** Prefixes to take away without a gap for the others (`WGALLOWEDIP_F_REMOVE_ME`, else a throw-away peer). */
  readonly removeAllowedIps?: readonly string[];
}

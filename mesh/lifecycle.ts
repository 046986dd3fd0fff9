/**
 * How a generation comes and goes on this node: `docs/generations.md`, as one pure function. It says what the node is to hold, on what
 * it may send, and whether its door is shut; and for whom it waits.
 */
import type { Encryption, Mode, NodeRecord, PeerStatus } from './types.ts';

export type Driver = 'wireguard' | 'ipsec';

/** What this node holds and does; kept on disk, and published. */
export interface Stance {
  /** Oldest first, two at most; empty: nothing is encrypted. */
  readonly held: readonly HeldGeneration[];
  /** Generations that this node may still send on; 0 is in clear. Sorted. */
  readonly sending: readonly number[];
  /** Uids of the Nodes towards which it may still send in clear. */
  readonly clear: ReadonlySet<string>;
  /** What is in force: `strict` is a door that is shut. */
  readonly mode: Mode;
}

export interface HeldGeneration {
  readonly number: number;
  readonly driver: Driver;
  /** UDP port (WireGuard) as it was when the generation began; 0 for ipsec. */
  readonly port: number;
}

/** What is wished of this node. */
export interface Target {
  /** `none` also where the node is not selected. */
  readonly encryption: Encryption;
  readonly mode: Mode;
  readonly generation: number;
  /** Generation n listens on `port + n mod 2`. */
  readonly port: number;
  /** Milliseconds. */
  readonly drain: number;
  /** Names of Nodes that nobody waits for. */
  readonly passOver: readonly string[];
}

export interface LifecycleInput {
  readonly self: string;
  /** Undefined: the first turn, and nothing was kept. */
  readonly stance: Stance | undefined;
  readonly target: Target;
  /** All Nodes; our own is skipped. */
  readonly records: readonly NodeRecord[];
  /** After the last turn of the kernel: who is routed, and on which generation. */
  readonly statuses: ReadonlyMap<string, PeerStatus>;
  /** By held generation: since when nothing came in on it, in milliseconds since the epoch. Absent: not known yet. */
  readonly silentSince: ReadonlyMap<number, number>;
  /** Generations whose devices are withdrawn and not gone yet. */
  readonly leaving: ReadonlySet<number>;
  /** The steps that have become possible, and when: what the last call returned. */
  readonly possible: ReadonlyMap<string, number>;
  readonly now: number;
}

export interface Lifecycle {
  /** The same object as before when nothing is to change. */
  readonly stance: Stance;
  /** Whether all traffic is to leave the tunnels: switched off, and every door is open. */
  readonly unroute: boolean;
  readonly possible: ReadonlyMap<string, number>;
  /** Who is waited for, and for what; sorted by node. */
  readonly waiting: readonly Waiting[];
  /** When to come back at the latest, in milliseconds since the epoch. */
  readonly nextAt?: number;
}

export interface Waiting {
  readonly node: string;
  readonly code: 'NOT_SWITCHED' | 'NOT_ROUTED' | 'DOOR_SHUT' | 'OLD_GENERATION';
  /** A sentence that names the Node, the generation and the way out. */
  readonly message: string;
}

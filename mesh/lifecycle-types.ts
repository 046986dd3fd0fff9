/** What `lifecycle` is told, and what it says. */
import type { Stance, Target } from './stance.ts';
import type { NodeRecord, PeerStatus } from './types.ts';

export interface LifecycleInput {
  readonly self: string;
  /** Undefined: the first turn, and nothing was kept. */
  readonly stance: Stance | undefined;
  readonly target: Target;
  /** All Nodes; our own is skipped. */
  readonly records: readonly NodeRecord[];
  /** After the last turn of the kernel: who is routed, and on which generation. */
  readonly statuses: ReadonlyMap<string, PeerStatus>;
  /** By held generation; absent: not looked at yet. */
  readonly silence: ReadonlyMap<number, Silence>;
  /** Generations whose devices are withdrawn and not gone yet. */
  readonly leaving: ReadonlySet<number>;
  /** Whether the kernel was told to send nothing through the tunnels, and did so. */
  readonly unrouted: boolean;
  /** Whether our own Node still carries a key, to our best knowledge. */
  readonly published: boolean;
  /** Steps that have become possible and are not taken at once, and when: what the last call returned. */
  readonly possible: ReadonlyMap<string, number>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** In milliseconds since the epoch. */
export interface Silence {
  /** Since when nothing came in. */
  readonly since: number;
  /** When it was looked at last. */
  readonly until: number;
}

export interface Lifecycle {
  /** The same object as before when nothing is to change. */
  readonly stance: Stance;
  /** Whether all traffic is to leave the tunnels: switched off, and every door is open. */
  readonly unroute: boolean;
  readonly possible: ReadonlyMap<string, number>;
  /** Who is waited for, and for what; sorted by node. */
  readonly waiting: readonly Waiting[];
  /** Why what is wished does not come to be on this node, though it waits for nobody. */
  readonly problems: readonly LifecycleProblem[];
  /** When to come back at the latest, in milliseconds since the epoch. */
  readonly nextAt?: number;
}

export interface Waiting {
  readonly node: string;
  readonly code: WaitingCode;
  /** A sentence that names the Node, the generation and the way out. */
  readonly message: string;
}

export interface LifecycleProblem {
  /**
   *   DRIVER_HELD     another driver is asked for than the newest generation has
   *   DRIVER_UNABLE   this node cannot do the driver of the next
   */
  readonly code: 'DRIVER_HELD' | 'DRIVER_UNABLE';
  /** A sentence that names the generation, the driver and the way out. */
  readonly message: string;
}

/**
 *   NOT_SWITCHED    it says that it may still send on the old generation
 *   OLD_GENERATION  it has published no key of the new one yet
 *   UNABLE          nor will it: its agent says that it cannot do the driver of the new one
 *   NOT_ROUTED      it has, and our way to it is still the old one, or in clear: no handshake yet
 *   DOOR_SHUT       it drops what comes in clear
 */
export type WaitingCode = 'NOT_SWITCHED' | 'OLD_GENERATION' | 'UNABLE' | 'NOT_ROUTED' | 'DOOR_SHUT';

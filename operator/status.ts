/**
 * What an agent answers on its socket (`agent.sock` in the run directory): `/status`, `/plan` and `/events`.
 * These are the values that `sheath status|peers|plan -o json` print; times are milliseconds since the epoch.
 */

import type { PublicKey } from '../keys/generation.ts';
import type { Waiting } from '../mesh/lifecycle-types.ts';
import type { Encryption, Mode, PeerStatus, Problem, Refusal, Scope } from '../mesh/types.ts';
import type { Change, DeviceReport, DoorReport, IpsecReport } from '../tunnels/dataplane.ts';
import type { ConfigView } from './config/schema.ts';
import type { AdmissionPolicyState } from './kube/policy.ts';

/**
 *   starting     nothing is known yet: no records, or the kernel was not read
 *   alone        there is no other Node
 *   encrypted    every other Node that we know of is `routed`
 *   partial      some are
 *   plaintext    none is, or `encryption: none`
 *   withdrawing  encryption was switched off and the last device still waits for silence
 */
export type MeshState = 'starting' | 'alone' | 'encrypted' | 'partial' | 'plaintext' | 'withdrawing';

/** `GET /status`. */
export interface AgentStatus {
  readonly node: string;
  readonly uid?: string;
  readonly version: string;
  readonly startedAt: number;
  /** When this answer was made. */
  readonly now: number;
  readonly encryption: Encryption;
  /** What is in force: `strict` is a door that is shut. */
  readonly mode: Mode;
  readonly scope: Scope;
  readonly state: MeshState;
  /** When it entered this state. */
  readonly since: number;
  readonly generations: readonly GenerationStatus[];
  /** Whom the next step of a rotation, or of switching on or off, waits for; sorted by node. Absent: the agent's version knows none. */
  readonly waiting?: readonly Waiting[];
  /** While one is under way on this node. */
  readonly rotation?: RotationProgress;
  readonly devices: readonly DeviceReport[];
  /** The door of strict mode and what it stopped; absent: none was shut since the agent started. */
  readonly door?: DoorReport;
  /** What IPsec refused and dropped; absent: there is no device of it. */
  readonly ipsec?: IpsecReport;
  /** One for every other Node that has a record, and for those that have none yet; sorted by node. */
  readonly peers: readonly PeerStatus[];
  readonly refused: readonly Refusal[];
  /** What is wrong now, each with the way out; empty when all is well. */
  readonly problems: readonly AgentProblem[];
  readonly records: RecordsStatus;
  readonly publish: PublishStatus;
  readonly config: ConfigView;
  /** The EncryptionMesh named default, and how this agent stands to it. */
  readonly resource?: ResourceStatus;
  /** Whether the cluster keeps Nodes from claiming what is not theirs; absent: not asked yet. */
  readonly admissionPolicy?: AdmissionPolicyState;
  /** Why this node takes no part, where `nodeSelector` leaves it out. */
  readonly notSelected?: string;
}

export interface ResourceStatus {
  /**
   *   unknown   the API server was not heard yet
   *   absent    there is none: flags, environment and file hold
   *   followed  it is in force
   *   refused   it cannot be followed: the last good one stays in force, if there was one
   *   gone      it was there: the last good one stays in force
   */
  readonly state: 'unknown' | 'absent' | 'followed' | 'refused' | 'gone';
  /** `metadata.generation` of the one that is in force. */
  readonly observedGeneration?: number;
  /** It is being deleted: encryption goes, and then the agent may. */
  readonly deleting?: boolean;
  /** Fields of it that this version does not know and so does not follow, by path. */
  readonly unknownFields: readonly string[];
}

/** How far this node is with a rotation; for whom it waits, `waiting` says. */
export interface RotationProgress {
  /** 0: in clear, encryption was just switched on. */
  readonly from: number;
  readonly to: number;
  /**
   *   switching  peer by peer, as each is established on the new generation
   *   draining   nothing is sent on the old one any more; it is withdrawn when nobody else does and it has been silent
   */
  readonly phase: 'switching' | 'draining';
}

/** One of our own generations. */
export interface GenerationStatus {
  readonly number: number;
  readonly driver: 'wireguard' | 'ipsec';
  readonly publicKey: PublicKey;
  readonly port?: number;
  /** When its key was made. */
  readonly createdAt?: number;
  /** Whether we may still send on it: `sheath.dev/sending`. */
  readonly sending: boolean;
}

/** Something that is wrong on this node, as opposed to one peer's `reason`. */
export interface AgentProblem {
  /** Stable: `API_UNREACHABLE`, `NODE_NOT_FOUND`, `PORT_TAKEN`, `NOT_PERMITTED`, a `ProblemCode`, ... */
  readonly code: string;
  /** Names the thing and the way out. */
  readonly message: string;
  readonly since: number;
  /** The peer that it is about, when it is one peer's. */
  readonly node?: string;
}

/** Where the knowledge of the other nodes comes from, and how old it is. */
export interface RecordsStatus {
  /** `api`: from the API server; `disk`: as kept by the last agent; `none`: nothing yet. */
  readonly source: 'api' | 'disk' | 'none';
  /** When they were last known to be true: the last list, event or bookmark. */
  readonly at?: number;
  /** Milliseconds from `at` to `now`; 0 while the watch is connected. */
  readonly age?: number;
  /** How many Nodes, this one included. */
  readonly nodes: number;
  /** Whether the watch is connected now. */
  readonly connected: boolean;
}

/** How our own annotations stand. */
export interface PublishStatus {
  readonly state: 'pending' | 'published' | 'failed' | 'withdrawn';
  readonly since: number;
  readonly reason?: Problem | { readonly code: string; readonly message: string };
}

/** `GET /plan`: what the next reconcile would change in the kernel, without changing it. */
export interface PlanAnswer {
  readonly node: string;
  readonly now: number;
  readonly encryption: Encryption;
  readonly changes: readonly Change[];
  /** What would be published that is not: annotation and value, `null` for one that would be removed. */
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly refused: readonly Refusal[];
}

/**
 * `GET /events`: server-sent events, `event:` the type, `data:` the JSON. A `status` comes first and then whenever the answer to
 * `/status` would tell something new (at most one a second; counters alone are nothing new).
 */
export type AgentEvent =
  | { readonly type: 'status'; readonly at: number; readonly status: AgentStatus }
  | {
      readonly type: 'peer';
      readonly at: number;
      readonly previous?: PeerStatus['state'];
      readonly peer: PeerStatus;
    }
  | { readonly type: 'change'; readonly at: number; readonly change: Change };

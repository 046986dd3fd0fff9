/** The one door to the kernel: what the agent asks of `tunnels/`, and what it gets back. */
import type { PrivateKey, PublicKey } from 'wireguard-tools-wrapper';
import type { DeviceName, MeshPlan, Observation, RoutePlan } from '../mesh/types.ts';

export interface Dataplane {
  /**
   * Makes the kernel equal to `desired`, additions before removals, and says what it changed. Idempotent: the second call
   * with the same value writes nothing. One failed item never stops the others; its error is in the report.
   */
  set(desired: DesiredState): Promise<Report>;
  /**
   * Shuts the door that the plan wants, with the devices that it has, and touches nothing else: for when nothing but the disk is known.
   * Absent: there is no door.
   */
  shut?(plan: MeshPlan): Promise<Report>;
  /** What `set` would change, without changing it. */
  preview(desired: DesiredState): Promise<readonly Change[]>;
  /** Reads handshakes, endpoints and counters of every link; and unless it is only a look, whether the peers are as wanted. */
  observe(options?: ObserveOptions): Promise<readonly Observation[]>;
  /** Calls back when the kernel tells that something of ours, or something it depends on, was changed by another's hand. */
  watch(onChange: (what: string) => void, signal: AbortSignal): void;
  /** Frees sockets; leaves the kernel as it is. */
  close(): Promise<void>;
}

export interface ObserveOptions {
  /** Another hand's changes to peers are left for the next `observe`: half the work. */
  readonly look?: boolean;
}

export interface DesiredState {
  readonly plan: MeshPlan;
  readonly routes: RoutePlan;
  /** The private key of one of our generations; never kept. */
  readonly privateKey: (generation: number) => PrivateKey;
  /** Nodes whose newest links get a persistent keepalive of 25 s while they establish; all others have `DevicePlan.keepalive`. */
  readonly keepalive?: ReadonlySet<string>;
  /** Nodes whose newest links, not established, are removed and added again in this very call, so that a new handshake starts now. */
  readonly restart?: readonly string[];
}

export interface Report {
  readonly changes: readonly Change[];
  readonly errors: readonly DataplaneError[];
  readonly devices: readonly DeviceReport[];
  /** What waits for silence before it can be taken back: call `set` again after the longest `retryAfter`. Empty: all is done. */
  readonly pending: readonly Pending[];
  /** How the door of strict mode stands; absent: none was shut. */
  readonly door?: DoorReport;
  /** What IPsec refused; absent: there is no device of it. */
  readonly ipsec?: IpsecReport;
}

/** Counts only grow, until the network namespace, or for `refused` the agent, is another. */
export interface IpsecReport {
  /** What the kernel dropped, those that are not 0, sorted by reason. Of the whole network namespace, whoever's they are. */
  readonly dropped: readonly XfrmDrops[];
  /** What our charon refused since the agent listens, sorted; undefined: this charon does not tell (the host's, or one without error-notify). */
  readonly refused?: readonly RefusalCount[];
}

export interface XfrmDrops {
  /** The kernel's own name: `XfrmInNoStates`, `XfrmInTmplMismatch`, ... (Linux: Documentation/networking/xfrm_proc.rst). */
  readonly reason: string;
  readonly packets: number;
}

export interface RefusalCount {
  readonly code: IkeRefusalCode;
  readonly times: number;
}

export type IkeRefusalCode =
  /** Whoever it was did not prove to be a peer: no peer has the identity, or the key is not the record's. */
  | 'IKE_PEER_UNPROVEN'
  /** The peer did not take us for what we say: it has another record of us, or none. */
  | 'IKE_OWN_KEY_REFUSED'
  | 'IKE_NO_COMMON_PROPOSAL'
  /** Who asks for less than all addresses is no Sheath. */
  | 'IKE_OTHER_SELECTORS'
  | 'IKE_MALFORMED'
  /** Began, and did not go on. */
  | 'IKE_UNFINISHED'
  | 'IKE_NO_ANSWER'
  /** The kernel did not take the states. */
  | 'IKE_NOT_INSTALLED';

/** A session that did not come about. */
export interface IkeRefusal {
  readonly code: IkeRefusalCode;
  /** charon's words. */
  readonly message: string;
  /** Where it came from, or was to: `192.0.2.2[4500]`. */
  readonly address?: string;
  /** Who it says it is: nothing of it is proven. */
  readonly node?: string;
  readonly publicKey?: PublicKey;
}

export interface DoorReport {
  /** It is in force, as wanted. */
  readonly shut: boolean;
  /** Packets that it stopped, of both directions and families. */
  readonly dropped: readonly Dropped[];
  /**
   * When it was last found open by another hand: at most from when to when, in milliseconds since the epoch. What passed
   * meanwhile nobody counted.
   */
  readonly breach?: { readonly since: number; readonly until: number };
}

export interface Dropped {
  readonly direction: 'in' | 'out';
  readonly family: 4 | 6;
  readonly packets: number;
}

/** A withdrawn device on which packets still came, or may come. */
export interface Pending {
  readonly device: DeviceName;
  /** Milliseconds until it may be gone, when no more packet comes. */
  readonly retryAfter: number;
}

export interface DeviceReport {
  readonly name: DeviceName;
  readonly generation: number;
  readonly implementation: 'kernel' | 'userspace';
  readonly mtu: number;
  readonly port: number;
}

export type Part = 'device' | 'address' | 'peer' | 'route' | 'rule' | 'firewall' | 'sysctl';

/** One write to the kernel, in words: `{part:'route', action:'add', what:'10.244.2.0/24 dev sheath1 table 51830'}`. */
export interface Change {
  readonly part: Part;
  readonly action: 'add' | 'change' | 'remove';
  readonly what: string;
  /** It was ours and as wanted before: somebody else's hand changed or removed it. */
  readonly repaired?: boolean;
}

/** Errors have a stable code, a cause, and name the thing. */
export interface DataplaneError {
  readonly part: Part;
  /** `NOT_PERMITTED`, `PORT_TAKEN`, `DEVICE_FOREIGN`, `RULE_FOREIGN`, `TABLE_FOREIGN`, `MARK_FOREIGN`, ... */
  readonly code: string;
  readonly message: string;
  readonly cause?: unknown;
  /** The peer whose item it is, when it is one peer's. */
  readonly node?: string;
  /** The device that it is about, when it is one device: the other is as it shall be. */
  readonly device?: DeviceName;
}

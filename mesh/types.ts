/**
 * The values that flow one way through the house:
 *
 *   Node objects -> NodeRecord -> MeshPlan (+ RoutePlan) -> kernel -> Observation -> PeerStatus
 *
 * All of them are plain, sorted and comparable: what is printed with `-o json` is the value itself.
 */
import type { Generation, PublicKey } from '../keys/generation.ts';
import type { Encryption, MeshConfig, Mode, RoutingConfig, Scope } from './config.ts';

export type * from './config.ts';
export type * from './route-types.ts';

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** An IPv4 or IPv6 address in canonical text (RFC 5952 for IPv6), without a zone. Made by `parseAddress`. */
export type Address = Brand<string, 'Address'>;
/** A prefix in canonical text with no host bits set: `10.244.1.0/24`, `fd00:1::/64`. Made by `parsePrefix`. */
export type Prefix = Brand<string, 'Prefix'>;

export type Family = 4 | 6;
/** One Node's claims, parsed from its metadata. Everything here is the Node's word, and untrusted. */
export interface NodeRecord {
  readonly name: string;
  readonly uid: string;
  /** `metadata.creationTimestamp`, as the API server gave it (RFC 3339: compares as text). */
  readonly createdAt: string;
  /** Oldest first. Empty when the Node published none. */
  readonly generations: readonly Generation[];
  readonly endpoints: readonly Address[];
  readonly prefixes: readonly Prefix[];
  readonly sending: readonly number[];
  /** What the node runs; undefined when it does not say. */
  readonly agent?: AgentFacts;
  /** What could not be read of it, each with the annotation's name; what could is kept. */
  readonly problems: readonly Problem[];
}

/** The annotation `sheath.dev/agent`. */
export interface AgentFacts {
  readonly version: string;
  /** `metadata.generation` of the configuration that it acts on. */
  readonly observedGeneration?: number;
  /** What is in force, not what is wished: `strict` is a door that is shut. */
  readonly mode?: Mode;
  /** False: `spec.nodeSelector` leaves this node out. */
  readonly takesPart?: false;
  /** What this node is unable to do, with the reason: `ipsec: no charon`; `config: ...` when it cannot follow the resource. */
  readonly cannot: readonly string[];
}

/** A stable code and a sentence that names the thing and the way out. */
export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
}

export type ProblemCode =
  | 'RECORD_MALFORMED'
  | 'RECORD_TOO_LARGE'
  | 'DRIVER_UNKNOWN'
  | 'KEY_INVALID'
  | 'KEY_OWN'
  | 'KEY_CLAIMED'
  | 'PREFIX_INVALID'
  | 'PREFIX_OWN'
  | 'PREFIX_CLAIMED'
  | 'ENDPOINT_INVALID'
  | 'ENDPOINT_OWN'
  | 'ENDPOINT_CLAIMED'
  | 'ENDPOINT_MISSING'
  | 'NO_COMMON_GENERATION'
  | 'NO_COMMON_FAMILY'
  | 'NO_HANDSHAKE'
  | 'NO_ANSWER'
  | 'NO_ROUTE_YET';

/**
 * What decides between claims that contend: what the API server vouches for, not who was seen first.
 * Read only for the Nodes that a plan names in `contested`, and kept on disk with the records.
 */
export interface Evidence {
  /** By Node uid: `spec.podCIDRs` and the addresses of `status.addresses`. */
  readonly nodes: ReadonlyMap<string, VouchedNode>;
  /** By public key: the uid of the Node that proved to own it, or that is being tried. */
  readonly keyHolders: ReadonlyMap<PublicKey, string>;
  /** By endpoint that several claim: the uid of the Node that answers there. */
  readonly endpointHolders: ReadonlyMap<Address, string>;
}

export interface VouchedNode {
  readonly podCIDRs: readonly Prefix[];
  readonly addresses: readonly Address[];
}

/** What this node wants the kernel to be, but for the routes, which wait for proof of life (`RoutePlan`). */
export interface MeshPlan {
  readonly self: string;
  readonly encryption: Encryption;
  /** What is in force: `strict` shuts the door, also while there is no device. */
  readonly mode: Mode;
  readonly scope: Scope;
  /** What the door is shut for: all pods; and all nodes in scope `nodes`, and for pods whatever the scope. */
  readonly clusterPrefixes: readonly Prefix[];
  readonly nodePrefixes: readonly Prefix[];
  /** One a live generation, oldest first; none with encryption `none`. */
  readonly devices: readonly DevicePlan[];
  /** Sorted by node. Only peers that can be programmed; the others are in `refused`. */
  readonly peers: readonly PeerPlan[];
  readonly refused: readonly Refusal[];
  /** Names of Nodes to read (`Evidence`) before this plan is final; sorted. */
  readonly contested: readonly string[];
  readonly routing: RoutingConfig;
  /** Where own prefixes come from; absent: `podCIDRs`. With `pods` a mark tells own pods, not a rule for each. */
  readonly prefixSource?: MeshConfig['prefixSource'];
  /** This node's own prefixes and addresses: `throw` routes, rules and `src` come from them. */
  readonly ownPrefixes: readonly Prefix[];
  readonly ownAddresses: readonly Address[];
  readonly exempt: readonly Prefix[];
}

/** One tunnel device: `sheath<generation mod 2>`. */
export interface DevicePlan {
  readonly name: DeviceName;
  readonly generation: number;
  readonly driver: 'wireguard' | 'ipsec';
  /** UDP port it listens on (WireGuard); 0 for ipsec. */
  readonly port: number;
  /** What ESP may be negotiated, for the MTU: the largest overhead counts. Absent: as by default. */
  readonly espProposals?: readonly string[];
  readonly mtu: 'auto' | number;
  /** The first address of the first own prefix of each family, as /32 and /128. */
  readonly addresses: readonly Prefix[];
  /** Persistent keepalive in seconds for its peers; 0 for a superseded generation, so that silence means silence. */
  readonly keepalive: number;
  /** Nothing is sent on it any more: it is there for what others still send. No route leads through it. */
  readonly receiveOnly: boolean;
}

export type DeviceName = 'sheath0' | 'sheath1';

export interface PeerPlan {
  readonly node: string;
  readonly uid: string;
  /** One a generation that both nodes hold, oldest first; never empty. */
  readonly links: readonly PeerLink[];
  /** Address the tunnel packets go to. */
  readonly endpoint: Address;
  /** Its prefixes and its node addresses (answers of a host come from those). */
  readonly allowedIPs: readonly Prefix[];
  /** What is behind it. */
  readonly prefixes: readonly Prefix[];
  /** Its node addresses. */
  readonly addresses: readonly Address[];
}

export interface PeerLink {
  readonly generation: number;
  readonly device: DeviceName;
  readonly driver: 'wireguard' | 'ipsec';
  readonly publicKey: PublicKey;
  /** UDP port the peer listens on (WireGuard); 0 for ipsec. */
  readonly port: number;
}

/** A claim that is not honoured: the peer as a whole when it has no entry in `peers`, else a part of it. */
export interface Refusal extends Problem {
  readonly node: string;
  readonly uid: string;
  /** The Node whose claim stands instead, when there is one. */
  readonly inFavourOf?: string;
  /** The key that is claimed (`KEY_CLAIMED`): what `evidence.keyHolders` is asked for. */
  readonly publicKey?: PublicKey;
  /** The address that is claimed (`ENDPOINT_CLAIMED`): what `evidence.endpointHolders` is asked for. */
  readonly endpoint?: Address;
}

/** What a driver read from the kernel about one link of a peer. */
export interface Observation {
  readonly device: DeviceName;
  readonly generation: number;
  readonly publicKey: PublicKey;
  /** Where its authenticated packets come from now; may differ from the planned endpoint. */
  readonly endpoint?: { readonly address: Address; readonly port: number };
  /** Milliseconds since the epoch; undefined when there was no handshake yet. */
  readonly lastHandshake?: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** With `ipsec`, while there is a session. */
  readonly security?: SecurityAssociation;
}

/** The session of an IPsec link that is sent by: what charon says of its IKE SA and child (swanctl --list-sas). No secret is in it. */
export interface SecurityAssociation {
  /** Milliseconds since the epoch. */
  readonly ikeEstablishedAt: number;
  readonly childInstalledAt: number;
  /** When the session is replaced by the next, at the latest; milliseconds since the epoch. */
  readonly rekeyAt: number;
  /** What was agreed on: `AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519`. */
  readonly ikeProposal: string;
  readonly espProposal: string;
  /** Security parameter indexes of ESP (RFC 4303), of our inbound and outbound state. */
  readonly spiIn: number;
  readonly spiOut: number;
  /** UDP encapsulation, for a NAT in the way. */
  readonly nat: boolean;
}

/**
 *   unknown -> configured -> established -> routed
 *                 ^               ^           |
 *                 |               +-----------+-> degraded   (keeps its route)
 */
export type PeerState = 'unknown' | 'configured' | 'established' | 'routed' | 'degraded' | 'refused';

/** How one peer stands: the same words in the CLI, the metrics and `/status`. */
export interface PeerStatus {
  readonly node: string;
  readonly state: PeerState;
  /** When it entered this state, in milliseconds since the epoch. */
  readonly since: number;
  readonly generation?: number;
  readonly driver?: 'wireguard' | 'ipsec';
  readonly endpoint?: string;
  /** Where it proved itself: a handshake was made while its packets came from there, and they still do. */
  readonly answersAt?: Address;
  readonly publicKey?: PublicKey;
  /** Milliseconds since the epoch. */
  readonly lastHandshake?: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** When the counters were read, in milliseconds since the epoch. */
  readonly observedAt?: number;
  readonly security?: SecurityAssociation;
  /** MTU of the device that leads to it. */
  readonly mtu?: number;
  /**
   * Since when we send and hear nothing, in milliseconds since the epoch; undefined while it answers, and while nobody sends
   * (idle is not down).
   */
  readonly unansweredSince?: number;
  /** Generations on which a handshake with it was seen, and on which we may send; oldest first. Its route is on the last, or moves there next. */
  readonly established?: readonly number[];
  /** It took another key in place: its route stays until then at most, in milliseconds since the epoch. */
  readonly routeKeptUntil?: number;
  /** Why it is not `routed`, and what to do. */
  readonly reason?: Problem;
}

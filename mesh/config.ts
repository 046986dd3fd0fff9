/** What the plan needs of the configuration; the zod schema in `operator/config` yields it. */
import type { Prefix } from './types.ts';

export type Encryption = 'none' | 'wireguard' | 'ipsec';
export type Mode = 'permissive' | 'strict';
export type Scope = 'pods' | 'nodes';

export interface MeshConfig {
  readonly encryption: Encryption;
  readonly mode: Mode;
  readonly scope: Scope;
  /** Wanted: the lifecycle steps towards it, one generation after the other. */
  readonly generation: number;
  readonly rotation: {
    /** Milliseconds without a packet before a superseded generation is withdrawn. */
    readonly drain: number;
    /** Names of Nodes that nobody waits for. */
    readonly passOver: readonly string[];
  };
  readonly prefixSource: 'podCIDRs' | 'pods' | 'annotations';
  readonly wireguard: {
    /** Generation n listens on `port + n mod 2`. */
    readonly port: number;
    /** Persistent keepalive in seconds, 0 for none. */
    readonly keepalive: number;
    readonly userspace: 'auto' | 'always' | 'never';
  };
  readonly ipsec: IpsecConfig;
  readonly mtu: 'auto' | number;
  readonly routing: RoutingConfig;
  readonly clusterPrefixes: readonly Prefix[];
  readonly nodePrefixes: readonly Prefix[];
  /** Prefixes never encrypted nor dropped. */
  readonly exempt: readonly Prefix[];
}

/** How links of generations with the driver `ipsec` are made. */
export interface IpsecConfig {
  /** In swanctl.conf's words, best first, never empty: `aes256gcm16-prfsha384-x25519`. A profile has become its lists. */
  readonly ikeProposals: readonly string[];
  readonly espProposals: readonly string[];
  /** Seconds until the session of a link is replaced by the next. */
  readonly lifetime: number;
  /** Socket of the host's charon; undefined: a charon of our own. */
  readonly vici: string | undefined;
  /** ESP outside the kernel: not in this version, which refuses `always`. */
  readonly userspace: 'auto' | 'always' | 'never';
}

export interface RoutingConfig {
  readonly table: number;
  readonly rulePriority: number;
  readonly podTable: number;
  readonly podRulePriority: number;
  readonly fwmark: { readonly mark: number; readonly mask: number };
}

/** What holds where nobody says otherwise. Chosen to stay out of everybody's way on a shared node. */
import type { Spec } from './schema.ts';

type Filled<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };

/** A spec in which every field is set, but for the interval of rotation (absent: by hand) and the host's charon (absent: our own). */
export interface FullSpec
  extends Omit<Filled<Spec>, 'rotation' | 'wireguard' | 'ipsec' | 'routing' | 'prefixes'> {
  readonly rotation: {
    readonly interval?: string | undefined;
    readonly drain: string;
    readonly passOver: readonly string[];
  };
  readonly wireguard: Filled<NonNullable<Spec['wireguard']>>;
  readonly ipsec: Filled<Omit<NonNullable<Spec['ipsec']>, 'vici'>> & { readonly vici?: string | undefined };
  readonly routing: Filled<NonNullable<Spec['routing']>>;
  readonly prefixes: Filled<NonNullable<Spec['prefixes']>>;
}

export const DEFAULTS: FullSpec = {
  encryption: 'none',
  mode: 'permissive',
  scope: 'pods',
  generation: 1,
  rotation: { drain: '180s', passOver: [] },
  wireguard: {
    // Calico, Kilo and KubeSpan listen on 51820, Cilium on 51871.
    port: 51830,
    keepalive: '0s',
    userspace: 'auto',
    threadedNapi: 'unset',
  },
  // No lists: those of the profile.
  ipsec: { profile: 'default', ikeProposals: [], espProposals: [], lifetime: '1h', userspace: 'auto' },
  mtu: 'auto',
  routing: {
    table: 51830,
    // Before Calico's 99 and Cilium's 100, after Cilium's 9 and 10.
    rulePriority: 95,
    podTable: 51831,
    podRulePriority: 94,
    // Calico owns the bits 16 to 31, Kubernetes 14 and 15, portmap 13, the AWS CNI 7.
    fwmark: '0x1000/0x1000',
  },
  nodeSelector: {},
  clusterPrefixes: [],
  nodePrefixes: [],
  prefixes: { source: 'podCIDRs' },
  exempt: [],
};

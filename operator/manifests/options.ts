/** What may be chosen of the objects that a cluster needs. */
import type { Encryption, MeshConfig, Mode } from '../../mesh/types.ts';
import { NAMESPACE } from './names.ts';

export interface ManifestOptions {
  readonly namespace: string;
  readonly image: string;
  /** Replicas of the controller: one leads, the others stand by. */
  readonly replicas: number;
  readonly logLevel: string;
  /** Absent: the resource leaves it to `sheath enable`, and to be applied again changes nothing. */
  readonly encryption?: Encryption;
  readonly mode?: Mode;
  /** Socket of the hosts' charon, in a folder of its own, which the agents see; absent: they have one of their own. */
  readonly vici?: string;
  /** Where the agents' prefixes come from: by this the admission policy judges them. */
  readonly prefixSource: MeshConfig['prefixSource'];
  /** Ranges that all pods come from; what the policy allows where the source is not `podCIDRs`. */
  readonly clusterPrefixes: readonly string[];
  /** Ranges of the nodes' own addresses. */
  readonly nodePrefixes: readonly string[];
  /** A schedule in the notation of cron(8), for a job that rotates the keys; absent: no such job. */
  readonly cronjob?: string;
}

export const DEFAULT_OPTIONS: ManifestOptions = {
  namespace: NAMESPACE,
  image: 'sheath:0.1.0',
  replicas: 2,
  logLevel: 'info',
  prefixSource: 'podCIDRs',
  clusterPrefixes: [],
  nodePrefixes: [],
};

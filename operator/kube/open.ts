/** From a kubeconfig, or a pod's service account, to a client. */
import type { AccessOptions } from './access.ts';
import { createKubeClient, type KubeClient } from './client.ts';
import { loadAccess } from './kubeconfig.ts';
import type { ReachedAddresses } from './reached.ts';
import { createTransport } from './transport.ts';

export type { AccessOptions } from './access.ts';
export type { KubeClient } from './client.ts';

export interface Cluster {
  readonly client: KubeClient;
  /** For messages: `https://192.0.2.1:6443 (from /root/.kube/config)`. */
  readonly description: string;
  /** Where the API server answered. */
  readonly reached: ReachedAddresses;
}

/** Sends nothing yet. @throws OperatorError `KUBECONFIG_MISSING`, `KUBECONFIG_INVALID` */
export async function openCluster(options: AccessOptions, userAgent: string): Promise<Cluster> {
  const access = await loadAccess(options);
  const transport = createTransport(access, userAgent);
  return {
    client: createKubeClient(transport),
    reached: transport.reached,
    description: `${access.server.origin} (from ${access.origin})`,
  };
}

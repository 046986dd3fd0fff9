/** What a publisher asks of the API server, and no more. */
import type { KubeClient } from '../../operator/kube/client.ts';
import { parseNodeMetadata } from '../../operator/kube/node.ts';
import type { Api } from './api.ts';

/** What a killed agent waits for. */
export const NEVER = new Promise<never>(() => {});

interface Applied {
  readonly metadata: { readonly uid: string; readonly annotations: Readonly<Record<string, string>> };
}

export function modelClient(api: Api, node: string, alive: () => boolean): KubeClient {
  const apply = async (_path: string, { metadata: { uid, annotations } }: Applied) => {
    const outcome = await api.apply(node, uid, annotations).then(
      (metadata) => ({ metadata }),
      (error: unknown) => ({ error }),
    );
    if (!alive()) await NEVER;
    if ('error' in outcome) throw outcome.error;
    return { metadata: parseNodeMetadata(outcome) ?? {} };
  };
  return { apply } as unknown as KubeClient;
}

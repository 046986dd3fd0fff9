/** The two servers that have to behave alike. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../../lab/api/server.ts';
import { type ApiTarget, apiTarget, call, send } from '../../lab/api-client.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';

export interface Backend {
  readonly target: ApiTarget;
  stop(): Promise<void>;
}

export const BACKENDS: Readonly<Record<string, () => Promise<Backend>>> = {
  'the embedded API server': async () => {
    const server = new ApiServer();
    const url = new URL(await server.listen());
    return { target: { url, tls: {}, headers: {} }, stop: () => server.close() };
  },
  'the real kube-apiserver': async () => {
    const server = await startKubeApiserver();
    const target = await apiTarget(server.kubeconfigPath);
    await installCrd(target);
    return { target, stop: () => server.stop() };
  },
};

/** Any schema will do here: what the resource may hold is another matter than how it is served. */
async function installCrd(target: ApiTarget): Promise<void> {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const version = {
    name: 'v1alpha1',
    served: true,
    storage: true,
    subresources: { status: {} },
    schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
  };
  const names = { plural: 'encryptionmeshes', kind: 'EncryptionMesh', singular: 'encryptionmesh' };
  await call(target, {
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'encryptionmeshes.sheath.dev' },
      spec: { group: 'sheath.dev', scope: 'Cluster', names, versions: [version] },
    },
  });
  const path = '/apis/sheath.dev/v1alpha1/encryptionmeshes';
  while ((await send(target, { path })).status !== 200) await sleep(100);
}

import type { V1Namespace, V1ServiceAccount } from '@kubernetes/client-node';
import { type Component, labelsOf } from './names.ts';
import type { ManifestOptions } from './options.ts';

export function namespace({ namespace: name }: ManifestOptions): V1Namespace {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: {
        'app.kubernetes.io/name': 'sheath',
        // The agents need what Pod Security's `baseline` forbids: hostNetwork, hostPath, NET_ADMIN.
        'pod-security.kubernetes.io/enforce': 'privileged',
        // The controller needs none of it: whoever looks at warnings shall see the agents alone.
        'pod-security.kubernetes.io/warn': 'privileged',
      },
    },
  };
}

export function serviceAccount(
  { namespace: where }: ManifestOptions,
  name: string,
  component: Component,
): V1ServiceAccount {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: where, labels: labelsOf(component) },
  };
}

import type { V1Namespace, V1ResourceQuota, V1ServiceAccount } from '@kubernetes/client-node';
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

/** Some clouds let pods be critical only where a quota says how many. */
export function criticalPods({ namespace: where }: ManifestOptions): V1ResourceQuota {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'sheath-critical-pods', namespace: where },
    spec: {
      hard: { pods: '20k' },
      scopeSelector: {
        matchExpressions: [
          {
            scopeName: 'PriorityClass',
            operator: 'In',
            values: ['system-node-critical', 'system-cluster-critical'],
          },
        ],
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

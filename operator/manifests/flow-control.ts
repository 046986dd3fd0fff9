/**
 * API priority and fairness: our requests have a level of their own. Thousands of agents that start at once then queue behind each
 * other and keep nobody else waiting; and nobody else's crowd keeps a door from being opened.
 */
import type { V1FlowSchema, V1PriorityLevelConfiguration } from '@kubernetes/client-node';
import { AGENT, CONTROLLER, ROTATE } from './names.ts';
import type { ManifestOptions } from './options.ts';

const FLOW = 'sheath';
const API_VERSION = 'flowcontrol.apiserver.k8s.io/v1';

export function priorityLevel(): V1PriorityLevelConfiguration {
  return {
    apiVersion: API_VERSION,
    kind: 'PriorityLevelConfiguration',
    metadata: { name: FLOW },
    spec: {
      type: 'Limited',
      limited: {
        // Of some 245 in the levels that every cluster has.
        nominalConcurrencyShares: 20,
        // What agents leave idle, which is nearly all of it nearly always, others may borrow.
        lendablePercent: 80,
        limitResponse: {
          type: 'Queue',
          queuing: { queues: 16, handSize: 4, queueLengthLimit: 500 },
        },
      },
    },
  };
}

export function flowSchema({ namespace }: ManifestOptions): V1FlowSchema {
  return {
    apiVersion: API_VERSION,
    kind: 'FlowSchema',
    metadata: { name: FLOW },
    spec: {
      priorityLevelConfiguration: { name: FLOW },
      // Before `service-accounts` (9000), after all that keeps the cluster itself alive (up to 700).
      matchingPrecedence: 1000,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [AGENT, CONTROLLER, ROTATE].map((name) => ({
            kind: 'ServiceAccount',
            serviceAccount: { name, namespace },
          })),
          resourceRules: [
            { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
          ],
        },
      ],
    },
  };
}

/**
 * `sheath-keep`: what the nodes need to open their doors again is not deleted while the resource carries our finalizer, which is as
 * long as any node is encrypted or shut. `kubectl delete -f` deletes all it is given at once: without this the agents and
 * their rights would be gone before they could act. The resource's own kind is not held back: to delete it deletes the resource, which
 * switches encryption off, and it is gone when the last node is open. Then the same command deletes the rest.
 *
 * Where there is no such resource, or no such kind, nothing is held back.
 */
import type { V1ValidatingAdmissionPolicy } from '@kubernetes/client-node';
import { FINALIZER, GROUP, RESOURCE_NAME, VERSION } from '../../config/resource.ts';
import { AGENT, CONTROLLER, EVENTS, POLICIES } from '../names.ts';
import type { ManifestOptions } from '../options.ts';
import { list, text, validation } from './cel.ts';

export const KEEP_PARAM = { name: RESOURCE_NAME, parameterNotFoundAction: 'Allow' } as const;

export function keepPolicy({ namespace }: ManifestOptions): V1ValidatingAdmissionPolicy {
  const deleting = (group: string, ...resources: readonly string[]) => ({
    apiGroups: [group],
    apiVersions: ['*'],
    operations: ['DELETE'],
    resources: [...resources],
  });
  const names = list([namespace, AGENT, CONTROLLER, EVENTS.name]);
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: POLICIES.keep },
    spec: {
      failurePolicy: 'Ignore',
      paramKind: { apiVersion: `${GROUP}/${VERSION}`, kind: 'EncryptionMesh' },
      matchConstraints: {
        resourceRules: [
          deleting('', 'namespaces', 'serviceaccounts'),
          deleting(
            'rbac.authorization.k8s.io',
            'clusterroles',
            'clusterrolebindings',
            'roles',
            'rolebindings',
          ),
          deleting('apps', 'daemonsets', 'deployments'),
        ],
      },
      matchConditions: [
        // A request to delete a whole collection names nothing, and is asked again with each object.
        {
          name: 'named',
          expression: `request.name in ${names} || (oldObject != null && oldObject.metadata.name in ${names})`,
        },
        // Of a Namespace itself, the request names it as its own.
        {
          name: 'ours',
          expression: `!has(request.namespace) || request.namespace in ${list(['', namespace, EVENTS.namespace])}`,
        },
      ],
      validations: [
        validation({
          holds: `!(has(params.metadata.finalizers) && ${text(FINALIZER)} in params.metadata.finalizers)`,
          message: 'nodes are still encrypted: run sheath uninstall',
          says: `has(params.metadata.deletionTimestamp)
            ? 'encryption is being switched off, and needs this until then: repeat the command when kubectl get encryptionmesh finds none'
            : 'nodes are still encrypted, and would stay behind closed doors: run sheath uninstall, or first kubectl delete encryptionmesh ${RESOURCE_NAME}'`,
        }),
      ],
    },
  };
}

/**
 * All that a cluster needs, in the order in which one `kubectl apply -f` takes it: what others name comes before them. What holds
 * the others back while nodes are encrypted goes last, for `kubectl delete -f` takes the same order.
 */
import { encryptionMeshCRD } from '../config/crd.ts';
import { daemonSet } from './agent.ts';
import { deployment, disruptionBudget } from './controller.ts';
import { flowSchema, priorityLevel } from './flow-control.ts';
import { encryptionMesh } from './mesh.ts';
import { AGENT, CONTROLLER, POLICIES, ROTATE } from './names.ts';
import { criticalPods, namespace, serviceAccount } from './namespace.ts';
import type { ManifestOptions } from './options.ts';
import { bindingOf } from './policy/binding.ts';
import { KEEP_PARAM, keepPolicy } from './policy/keep.ts';
import { meshPolicy } from './policy/mesh.ts';
import { nodesPolicy } from './policy/nodes.ts';
import { rbac, rotateRbac } from './rbac.ts';
import { cronJob } from './rotate.ts';

export function manifests(options: ManifestOptions): readonly object[] {
  const { cronjob } = options;
  const mesh = encryptionMesh(options);
  return [
    namespace(options),
    criticalPods(options),
    encryptionMeshCRD(),
    ...(mesh === undefined ? [] : [mesh]),
    serviceAccount(options, AGENT, 'agent'),
    serviceAccount(options, CONTROLLER, 'controller'),
    ...(cronjob === undefined ? [] : [serviceAccount(options, ROTATE, 'rotate'), ...rotateRbac(options)]),
    ...rbac(options),
    nodesPolicy(options),
    bindingOf(POLICIES.nodes),
    meshPolicy(options),
    bindingOf(POLICIES.mesh),
    priorityLevel(),
    flowSchema(options),
    daemonSet(options),
    deployment(options),
    disruptionBudget(options),
    ...(cronjob === undefined ? [] : [cronJob(options, cronjob)]),
    keepPolicy(options),
    bindingOf(POLICIES.keep, KEEP_PARAM),
  ];
}

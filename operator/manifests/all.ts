/**
 * All that a cluster needs, in the order in which one `kubectl apply -f` takes it: what others name comes before them. Deleted in the
 * same order, the resource comes before what would open its doors, and the policy that holds the rest back goes last.
 */
import { encryptionMeshCRD } from '../config/crd.ts';
import { daemonSet } from './agent.ts';
import { deployment, disruptionBudget } from './controller.ts';
import { flowSchema, priorityLevel } from './flow-control.ts';
import { encryptionMesh } from './mesh.ts';
import { AGENT, CONTROLLER, POLICIES, ROTATE } from './names.ts';
import { namespace, serviceAccount } from './namespace.ts';
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
    ...(mesh === undefined ? [] : [mesh]),
    namespace(options),
    encryptionMeshCRD(),
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

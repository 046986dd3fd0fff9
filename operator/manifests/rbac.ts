/**
 * Who may do what, as far as RBAC can say it. It knows neither fields nor "its own Node": that is what the admission policies add.
 * Nobody may read Secrets, and nobody deletes anything.
 */
import type {
  RbacV1Subject,
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1PolicyRule,
  V1Role,
  V1RoleBinding,
} from '@kubernetes/client-node';
import { GROUP, PLURAL, RESOURCE_NAME } from '../config/resource.ts';
import { AGENT, CONTROLLER, EVENTS, POLICIES, ROTATE } from './names.ts';
import type { ManifestOptions } from './options.ts';

const RBAC = 'rbac.authorization.k8s.io';
const RBAC_V1 = `${RBAC}/v1`;

const READ_MESHES: V1PolicyRule = {
  apiGroups: [GROUP],
  resources: [PLURAL],
  verbs: ['get', 'list', 'watch'],
};
const RAISE_GENERATION: V1PolicyRule = {
  apiGroups: [GROUP],
  resources: [PLURAL],
  resourceNames: [RESOURCE_NAME],
  verbs: ['patch'],
};
const READ_NODES: V1PolicyRule = { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] };

function agentRules({ prefixSource }: ManifestOptions): V1PolicyRule[] {
  return [
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch', 'patch'] },
    // Whose addresses are the prefixes, where the source is the pods themselves.
    ...(prefixSource === 'pods' ? [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }] : []),
    READ_MESHES,
    // To say in `status` whether the policy is in force.
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
      resourceNames: [POLICIES.nodes],
      verbs: ['get'],
    },
  ];
}

const CONTROLLER_RULES: V1PolicyRule[] = [
  READ_NODES,
  READ_MESHES,
  RAISE_GENERATION,
  {
    apiGroups: [GROUP],
    resources: [`${PLURAL}/status`],
    resourceNames: [RESOURCE_NAME],
    verbs: ['get', 'patch', 'update'],
  },
];

const ROTATE_RULES: V1PolicyRule[] = [READ_NODES, READ_MESHES, RAISE_GENERATION];

/** Roles before bindings, as all of them are needed by who comes after. */
export function rbac(
  options: ManifestOptions,
): (V1ClusterRole | V1ClusterRoleBinding | V1Role | V1RoleBinding)[] {
  const { namespace } = options;
  return [
    ...clusterWide(AGENT, agentRules(options), namespace),
    ...clusterWide(CONTROLLER, CONTROLLER_RULES, namespace),
    ...leases(namespace),
    ...events(namespace),
  ];
}

export function rotateRbac({ namespace }: ManifestOptions): (V1ClusterRole | V1ClusterRoleBinding)[] {
  return clusterWide(ROTATE, ROTATE_RULES, namespace);
}

function clusterWide(
  name: string,
  rules: V1PolicyRule[],
  namespace: string,
): [V1ClusterRole, V1ClusterRoleBinding] {
  return [
    { apiVersion: RBAC_V1, kind: 'ClusterRole', metadata: { name }, rules },
    {
      apiVersion: RBAC_V1,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
      subjects: [subject(name, namespace)],
    },
  ];
}

function leases(namespace: string): [V1Role, V1RoleBinding] {
  const apiGroups = ['coordination.k8s.io'];
  return inNamespace({
    name: CONTROLLER,
    namespace,
    rules: [
      // RBAC cannot narrow `create` to a name.
      { apiGroups, resources: ['leases'], verbs: ['create'] },
      { apiGroups, resources: ['leases'], resourceNames: [CONTROLLER], verbs: ['get', 'patch', 'update'] },
    ],
    subjects: [subject(CONTROLLER, namespace)],
  });
}

function events(namespace: string): [V1Role, V1RoleBinding] {
  return inNamespace({
    ...EVENTS,
    rules: [{ apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] }],
    subjects: [subject(AGENT, namespace), subject(CONTROLLER, namespace)],
  });
}

interface Granted {
  readonly name: string;
  readonly namespace: string;
  readonly rules: V1PolicyRule[];
  readonly subjects: RbacV1Subject[];
}

function inNamespace({ name, namespace, rules, subjects }: Granted): [V1Role, V1RoleBinding] {
  const metadata = { name, namespace };
  return [
    { apiVersion: RBAC_V1, kind: 'Role', metadata, rules },
    {
      apiVersion: RBAC_V1,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'Role', name },
      subjects,
    },
  ];
}

function subject(name: string, namespace: string): RbacV1Subject {
  return { kind: 'ServiceAccount', name, namespace };
}

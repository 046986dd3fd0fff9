/** Where objects of the kinds that we install are served. */

const PLURALS: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  CustomResourceDefinition: 'customresourcedefinitions',
  EncryptionMesh: 'encryptionmeshes',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: 'validatingadmissionpolicybindings',
  PriorityLevelConfiguration: 'prioritylevelconfigurations',
  FlowSchema: 'flowschemas',
  DaemonSet: 'daemonsets',
  Deployment: 'deployments',
  PodDisruptionBudget: 'poddisruptionbudgets',
  ResourceQuota: 'resourcequotas',
  CronJob: 'cronjobs',
};

export interface Located {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** `/apis/apps/v1/namespaces/sheath-system/daemonsets/sheath-agent`. @throws Error for a kind that is not listed here: a fault of ours */
export function objectPath({ apiVersion, kind, metadata }: Located): string {
  const plural = PLURALS[kind];
  if (plural === undefined) throw new Error(`where ${kind} are served is not known`);
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const within =
    metadata.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(metadata.namespace)}`;
  return `${group}${within}/${plural}/${encodeURIComponent(metadata.name)}`;
}

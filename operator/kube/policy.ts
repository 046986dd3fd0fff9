/**
 * Whether the cluster itself keeps Nodes from claiming what is not theirs (`sheath-nodes`). Without it agents still refuse each other's
 * stolen claims; with it nobody can make them.
 */
import { POLICIES } from '../manifests/names.ts';
import type { Asked, KubeClient } from './client.ts';
import { KubeError } from './errors.ts';

export type AdmissionPolicyState =
  | { readonly state: 'inForce' }
  /** `reason`: a sentence that says what to do. */
  | { readonly state: 'absent' | 'unknown'; readonly reason: string };

const GROUP = '/apis/admissionregistration.k8s.io/v1';
export const NODES_POLICY = `${GROUP}/validatingadmissionpolicies/${POLICIES.nodes}`;
export const NODES_BINDING = `${GROUP}/validatingadmissionpolicybindings/${POLICIES.nodes}`;

const REMEDY = "apply what 'sheath manifests' prints, as an administrator";

/** Never throws: what cannot be read is `unknown`. Two requests. */
export async function admissionPolicyState(
  client: Pick<KubeClient, 'get'>,
  options: Asked = {},
): Promise<AdmissionPolicyState> {
  try {
    const policy = await client.get(NODES_POLICY, options);
    const binding = await client.get(NODES_BINDING, options);
    const gap = weakness(policy, binding);
    return gap === undefined ? { state: 'inForce' } : { state: 'absent', reason: `${gap}: ${REMEDY}` };
  } catch (error) {
    if (error instanceof KubeError && error.code === 'NOT_FOUND') {
      const reason = `the admission policy ${POLICIES.nodes} is not there, so whoever may write Nodes may write their sheath.dev/ annotations: ${REMEDY} (Kubernetes 1.31 or newer)`;
      return { state: 'absent', reason };
    }
    const why = error instanceof Error ? error.message : String(error);
    return { state: 'unknown', reason: `cannot read the admission policy ${POLICIES.nodes}: ${why}` };
  }
}

/** What keeps it from refusing anything; undefined: nothing. */
function weakness(policy: unknown, binding: unknown): string | undefined {
  const { failurePolicy, validations } = specOf(policy);
  const { policyName, validationActions, matchResources } = specOf(binding);
  const denies = Array.isArray(validationActions) && validationActions.includes('Deny');
  if (policyName !== POLICIES.nodes || !denies)
    return `the binding ${POLICIES.nodes} does not deny what its policy forbids`;
  if (isNarrowed(matchResources)) return `the binding ${POLICIES.nodes} holds for a part of the Nodes only`;
  if (failurePolicy === 'Ignore')
    return `the admission policy ${POLICIES.nodes} lets pass what it cannot judge`;
  if (!Array.isArray(validations) || validations.length === 0)
    return `the admission policy ${POLICIES.nodes} forbids nothing`;
  return undefined;
}

/** The API server fills in empty selectors where nobody asked for any. */
function isNarrowed(resources: unknown): boolean {
  if (resources === undefined) return false;
  const { namespaceSelector, objectSelector, resourceRules, excludeResourceRules } = resources as Fields;
  return [namespaceSelector, objectSelector, resourceRules, excludeResourceRules].some(
    (value) => typeof value === 'object' && value !== null && Object.keys(value).length > 0,
  );
}

type Fields = Readonly<Record<string, unknown>>;

function specOf(object: unknown): Fields {
  const { spec } = (object ?? {}) as { spec?: unknown };
  return typeof spec === 'object' && spec !== null ? (spec as Fields) : {};
}

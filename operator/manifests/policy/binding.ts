import type { V1ParamRef, V1ValidatingAdmissionPolicyBinding } from '@kubernetes/client-node';

/** Puts a policy in force, for the whole cluster. */
export function bindingOf(name: string, paramRef?: V1ParamRef): V1ValidatingAdmissionPolicyBinding {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'], ...(paramRef === undefined ? {} : { paramRef }) },
  };
}

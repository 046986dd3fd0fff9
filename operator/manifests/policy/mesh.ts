/**
 * `sheath-mesh`: the controller's token, and that of the job that rotates keys, may begin one rotation (`spec.generation` plus one),
 * write the status, and put or take our finalizer. Whoever steals one cannot open the mesh. RBAC cannot say this: it knows no fields.
 */
import type { V1ValidatingAdmissionPolicy } from '@kubernetes/client-node';
import { DEFAULTS } from '../../config/defaults.ts';
import { FINALIZER, GROUP, PLURAL, VERSION } from '../../config/resource.ts';
import { CONTROLLER, POLICIES, ROTATE, userOf } from '../names.ts';
import type { ManifestOptions } from '../options.ts';
import { changed, list, text, validation, variable } from './cel.ts';
import { USERNAME } from './writers.ts';

const spec = (object: string) => `has(${object}.spec) ? dyn(${object}.spec) : dyn({})`;
const finalizers = (object: string) =>
  `has(${object}.metadata.finalizers) ? ${object}.metadata.finalizers.filter(f, f != ${text(FINALIZER)}) : []`;
const held = (object: string) =>
  `(has(${object}.metadata.finalizers) && ${text(FINALIZER)} in ${object}.metadata.finalizers)`;
const generation = (of: string) => `('generation' in ${of} ? int(${of}.generation) : ${DEFAULTS.generation})`;

const VARIABLES = [
  variable('now', spec('object')),
  variable('before', spec('oldObject')),
  variable('rewritten', `(${changed('variables.now', 'variables.before')}).filter(k, k != 'generation')`),
  variable(
    'besides',
    `(${changed('dyn(object)', 'dyn(oldObject)', ['metadata', 'spec'])})
     + (${changed('dyn(object.metadata)', 'dyn(oldObject.metadata)', ['finalizers', 'generation', 'managedFields', 'resourceVersion'])})`,
  ),
];

const VALIDATIONS = [
  validation({
    holds: 'size(variables.rewritten) == 0',
    message: 'of the spec, the controller changes nothing but generation',
    says: "'of the spec, the controller changes nothing but generation, not ' + variables.rewritten[0]",
  }),
  validation({
    holds: `${generation('variables.now')} - ${generation('variables.before')} in [0, 1]`,
    message: 'the controller raises spec.generation by one, and never lowers it',
  }),
  validation({
    holds: `size(variables.besides) == 0 && (${finalizers('object')}) == (${finalizers('oldObject')})`,
    message: `of the metadata, the controller changes nothing but the finalizer ${FINALIZER}`,
  }),
  // Without it `sheath-keep` holds nothing back, and whoever deletes the agents then leaves nodes behind closed doors.
  validation({
    holds: `!${held('oldObject')} || ${held('object')} || has(oldObject.metadata.deletionTimestamp)
      || !('encryption' in variables.before) || variables.before.encryption == 'none'`,
    message: `the controller takes the finalizer ${FINALIZER} off only when encryption is none, or the resource is being deleted`,
  }),
];

export function meshPolicy({ namespace }: ManifestOptions): V1ValidatingAdmissionPolicy {
  const writers = list([userOf(CONTROLLER, namespace), userOf(ROTATE, namespace)]);
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: POLICIES.mesh },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [GROUP],
            apiVersions: [VERSION],
            operations: ['CREATE', 'UPDATE'],
            resources: [PLURAL],
          },
        ],
      },
      matchConditions: [{ name: 'by-the-controller', expression: `${USERNAME} in ${writers}` }],
      variables: VARIABLES,
      validations: [
        validation({
          holds: 'oldObject != null',
          message: 'the controller creates no EncryptionMesh: sheath enable does',
        }),
        ...VALIDATIONS,
      ],
    },
  };
}

/**
 * `sheath-nodes`: our annotations on a Node are written by the agent of that very Node, which its token vouches for
 * (`authentication.kubernetes.io/node-name`), and hold only what the Node may claim. Agents write nothing else on Nodes. Everybody
 * else but administrators is refused: kubelets too, which NodeRestriction lets change any annotation of their Node.
 *
 * It rests on no custom resource: were that missing, the API server would have to let all writes to Nodes through, or none.
 */
import type { V1ValidatingAdmissionPolicy, V1Variable } from '@kubernetes/client-node';
import { ANNOTATION_PREFIX } from '../../kube/node.ts';
import { AGENT, POLICIES, userOf } from '../names.ts';
import type { ManifestOptions } from '../options.ts';
import { changed, expression, text, validation, variable } from './cel.ts';
import { values, valueVariables } from './values.ts';
import { ADMINISTERS, NODE_OF_WRITER, USERNAME } from './writers.ts';

const NOW = 'has(object.metadata.annotations) ? object.metadata.annotations : {}';
const BEFORE =
  'oldObject != null && has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}';

/** Of a Node, all that an agent must leave as it is. */
const UNTOUCHABLE = `
  (${changed('dyn(object)', 'dyn(oldObject)', ['metadata'])})
  + (${changed('dyn(object.metadata)', 'dyn(oldObject.metadata)', ['annotations', 'managedFields', 'resourceVersion'])})
  + (${changed('variables.now', 'variables.before')}).filter(k, !k.startsWith('${ANNOTATION_PREFIX}'))`;

export function nodesPolicy(options: ManifestOptions): V1ValidatingAdmissionPolicy {
  const agent = text(userOf(AGENT, options.namespace));
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: POLICIES.nodes },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [''],
            apiVersions: ['v1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['nodes', 'nodes/status'],
          },
        ],
      },
      matchConditions: [{ name: 'concerns-sheath', expression: concernsUs(agent) }],
      variables: [...variables(agent), ...valueVariables(options)],
      validations: [...writers(), ...values(options)],
    },
  };
}

/** Cheap, for it is asked at every heartbeat of every kubelet. */
function concernsUs(agent: string): string {
  const ours = (one: string, other: string) =>
    `(${one}).exists(k, k.startsWith('${ANNOTATION_PREFIX}') && !(k in (${other}) && (${one})[k] == (${other})[k]))`;
  return expression(`${USERNAME} == ${agent} || ${ours(NOW, BEFORE)} || ${ours(BEFORE, NOW)}`);
}

function variables(agent: string): V1Variable[] {
  return [
    variable('now', NOW),
    variable('before', BEFORE),
    variable(
      'touched',
      `(${changed('variables.now', 'variables.before')}).filter(k, k.startsWith('${ANNOTATION_PREFIX}'))`,
    ),
    variable('byAgent', `${USERNAME} == ${agent}`),
    variable('nodeOfWriter', NODE_OF_WRITER),
    variable(
      'owner',
      "variables.byAgent && oldObject != null && (!has(request.subResource) || request.subResource == '') && variables.nodeOfWriter == object.metadata.name",
    ),
    variable('administrator', ADMINISTERS),
    variable('besides', UNTOUCHABLE),
  ];
}

function writers() {
  return [
    validation({
      holds: 'size(variables.touched) == 0 || variables.owner || variables.administrator',
      message: `${ANNOTATION_PREFIX} annotations are changed only by the agent of that Node, and by administrators`,
      says: `variables.touched[0] + ' of Node ' + object.metadata.name + ' is changed only by the agent of that Node, and by administrators, not by ' + ${USERNAME} + (variables.byAgent ? ' on Node ' + (variables.nodeOfWriter == '' ? 'unknown' : variables.nodeOfWriter) : '')`,
    }),
    validation({
      holds: '!variables.byAgent || (variables.owner && size(variables.besides) == 0)',
      message: `an agent changes only the ${ANNOTATION_PREFIX} annotations of its own Node`,
      says: `'an agent changes only the ${ANNOTATION_PREFIX} annotations of its own Node' + (variables.owner ? ', not ' + variables.besides[0] : '')`,
    }),
  ];
}

import { isObject, type KubeObject } from './objects.ts';
import { badRequest } from './status-error.ts';

export type Selector = (object: KubeObject) => boolean;

/** `fieldSelector` on name and namespace, and on a pod's node and address; `labelSelector` with `=`, `!=` and existence: what the mesh and kubectl ask. */
export function selector(query: URLSearchParams): Selector {
  const terms = [
    ...requirements(query.get('fieldSelector')).map(fieldTerm),
    ...requirements(query.get('labelSelector')).map(labelTerm),
  ];
  return (object) => terms.every((term) => term(object));
}

function requirements(text: string | null): readonly string[] {
  return text ? text.split(',') : [];
}

const FIELD = /^(metadata|spec|status)\.(name|namespace|nodeName|podIP)(==?|!=)(.*)$/;
const FIELDS: readonly string[] = ['metadata.name', 'metadata.namespace', 'spec.nodeName', 'status.podIP'];

function fieldTerm(requirement: string): Selector {
  const [, part = '', key = '', operator, value] = FIELD.exec(requirement) ?? [];
  if (!FIELDS.includes(`${part}.${key}`)) throw badRequest(`field label not supported: ${requirement}`);
  return (object) => {
    const holder = object[part];
    const has = isObject(holder) ? (holder[key] ?? '') : '';
    return (has === value) === (operator !== '!=');
  };
}

function labelTerm(requirement: string): Selector {
  const [, not, key = '', operator, value] =
    /^(!?)([-\w./]+?)(?:(==?|!=)(.*))?$/.exec(requirement.trim()) ?? [];
  if (!key) throw badRequest(`unable to parse requirement: ${requirement}`);
  return ({ metadata }) => {
    const label = isObject(metadata.labels) ? metadata.labels[key] : undefined;
    if (operator === undefined) return (label !== undefined) === (not === '');
    return (label === value) === (operator !== '!=');
  };
}

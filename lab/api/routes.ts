import { RESOURCES, type Resource } from './objects.ts';

/** What a path names. */
export interface Route {
  readonly resource: Resource;
  /** Undefined for cluster-scoped objects and for lists of all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: 'status';
}

/** `/api/v1/nodes/n1/status`, `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME`; undefined for anything else. */
export function route(path: string, resources: readonly Resource[] = RESOURCES): Route | undefined {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  const [root, ...rest] = parts;
  const [group, version, ...place] = root === 'api' ? ['', ...rest] : rest;
  if (root !== 'api' && root !== 'apis') return undefined;
  const inNamespace = place[0] === 'namespaces' && place.length > 2 && place[2] !== 'status';
  const [plural, name, subresource, ...more] = inNamespace ? place.slice(2) : place;
  const resource = resources.find(
    (one) => one.group === group && one.version === version && one.plural === plural,
  );
  if (!resource || more.length > 0 || (inNamespace && !resource.namespaced)) return undefined;
  if (resource.namespaced && !inNamespace && name !== undefined) return undefined;
  if (subresource !== undefined && (subresource !== 'status' || !resource.status)) return undefined;
  return {
    resource,
    ...(inNamespace && place[1] !== undefined && { namespace: place[1] }),
    ...(name !== undefined && { name }),
    ...(subresource === 'status' && { subresource }),
  };
}

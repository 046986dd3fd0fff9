/** Enough of discovery for kubectl to find the resources. */
import { apiVersion, type JsonObject, type Resource } from './objects.ts';

const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/** The answer to a discovery path, undefined when it is none. */
export function discover(path: string, resources: readonly Resource[]): JsonObject | undefined {
  if (path === '/version')
    return { major: '1', minor: '36', gitVersion: 'v1.36.0-sheath-lab', platform: 'linux/amd64' };
  if (path === '/api') return { kind: 'APIVersions', apiVersion: 'v1', versions: ['v1'] };
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups(resources) };
  const [, group = '', version] = /^\/(?:api|apis\/([^/]+))\/([^/]+)$/.exec(path) ?? [];
  const served = resources.filter((resource) => resource.group === group && resource.version === version);
  const [first] = served;
  if (!first) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersion(first),
    resources: served.flatMap(describe),
  };
}

function groups(resources: readonly Resource[]): readonly JsonObject[] {
  const named = resources.filter((resource) => resource.group !== '');
  return [...Map.groupBy(named, (resource) => resource.group)].map(([name, [first]]) => {
    const version = { groupVersion: `${name}/${first?.version}`, version: first?.version ?? '' };
    return { name, versions: [version], preferredVersion: version };
  });
}

function describe({ plural, kind, namespaced, status }: Resource): readonly JsonObject[] {
  const singularName = kind.toLowerCase();
  const main = { name: plural, singularName, kind, namespaced, verbs: VERBS };
  if (!status) return [main];
  return [main, { ...main, name: `${plural}/status`, singularName: '', verbs: ['get', 'patch', 'update'] }];
}

/** What the embedded API server stores: plain JSON objects that are never changed once stored. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export interface ObjectMeta extends JsonObject {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
}

/** An object as it is stored: the server filled in what every object has. */
export interface KubeObject extends JsonObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** One kind of objects and where they are served. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /**
   * What a write to `/status` may change besides `status`, and whether a create keeps `status`. Nodes are older than the
   * rules for custom resources: a kubelet registers with its status, and may set annotations through `/status`.
   */
  readonly status?: 'node' | 'custom';
  /** Counts changes of everything but metadata and status in `metadata.generation`. */
  readonly generation?: boolean;
  /** A replacement that names no resource version is accepted. */
  readonly unconditionalUpdate?: boolean;
}

export const NAMESPACES: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
  unconditionalUpdate: true,
};

export const RESOURCES: readonly Resource[] = [
  { ...core('nodes', 'Node'), namespaced: false, status: 'node' },
  NAMESPACES,
  { ...core('pods', 'Pod'), namespaced: true, status: 'node' },
  { ...core('events', 'Event'), namespaced: true },
  { ...core('events', 'Event'), group: 'events.k8s.io', namespaced: true },
  { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true },
  {
    group: 'sheath.dev',
    version: 'v1alpha1',
    plural: 'encryptionmeshes',
    kind: 'EncryptionMesh',
    namespaced: false,
    status: 'custom',
    generation: true,
  },
];

function core(plural: string, kind: string) {
  return { group: '', version: 'v1', plural, kind, unconditionalUpdate: true } as const;
}

/** `v1`, `coordination.k8s.io/v1`. */
export function apiVersion(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** `nodes`, `leases.coordination.k8s.io`, as error messages name it. */
export function qualifiedName(resource: Resource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `value` without the keys; the same value when it has none of them. */
export function without(value: JsonObject, ...keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** `value` with these keys and no others. */
export function only(value: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)));
}

export function metadataOf(object: JsonObject): JsonObject {
  return isObject(object.metadata) ? object.metadata : {};
}

export function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

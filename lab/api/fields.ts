/**
 * Sets of fields, as `metadata.managedFields[].fieldsV1` writes them: `{"f:metadata":{"f:annotations":{"f:a":{}}}}`.
 * Objects are merged field by field; lists belong to their owner as a whole. (The real server also merges some lists by
 * key; nothing here needs that.)
 */
import { isObject, type Json, type JsonObject } from './objects.ts';

/** A path of field names, as one string that can be in a Set. */
export type FieldPath = string;
export type FieldSet = ReadonlySet<FieldPath>;

export const SEPARATOR = '\0';
/** Nobody owns these: they say which object it is, or are the server's own. */
const UNOWNED = [
  ['apiVersion'],
  ['kind'],
  ...['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields'].map(
    (key) => ['metadata', key],
  ),
].map((path) => path.join(SEPARATOR));

export function segments(path: FieldPath): readonly string[] {
  return path.split(SEPARATOR);
}

/** `.metadata.annotations.a`, as conflicts name it. */
export function dotted(path: FieldPath): string {
  return segments(path)
    .map((segment) => `.${segment}`)
    .join('');
}

/** Every leaf of an object with its value: scalars, lists, empty objects. */
export function leaves(object: JsonObject): ReadonlyMap<FieldPath, Json> {
  const found = new Map<FieldPath, Json>();
  const visit = (value: Json, path: readonly string[]): void => {
    if (isObject(value) && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key]);
    } else if (path.length > 0) found.set(path.join(SEPARATOR), value);
  };
  visit(object, []);
  for (const path of UNOWNED) found.delete(path);
  return found;
}

export function toFieldsV1(paths: FieldSet): JsonObject {
  interface Tree {
    [key: string]: Tree;
  }
  const root: Tree = {};
  for (const path of [...paths].sort()) {
    let at = root;
    for (const segment of segments(path)) {
      at[`f:${segment}`] ??= {};
      at = at[`f:${segment}`] as Tree;
    }
  }
  return root;
}

export function fromFieldsV1(fields: Json | undefined): FieldSet {
  const found = new Set<FieldPath>();
  const visit = (value: Json | undefined, path: readonly string[]): void => {
    const inner = isObject(value) ? Object.entries(value).filter(([key]) => key.startsWith('f:')) : [];
    if (inner.length === 0 && path.length > 0) found.add(path.join(SEPARATOR));
    for (const [key, deeper] of inner) visit(deeper, [...path, key.slice(2)]);
  };
  visit(fields, []);
  return found;
}

/** A copy of `object` with the value at `path`; `undefined` takes it out, and the objects that it leaves empty. */
export function setAt(object: JsonObject, path: readonly string[], value: Json | undefined): JsonObject {
  const [key, ...rest] = path;
  if (key === undefined) return object;
  const inner = object[key];
  const next = rest.length === 0 ? value : setAt(isObject(inner) ? inner : {}, rest, value);
  const { [key]: _, ...others } = object;
  if (next === undefined) return others;
  if (value === undefined && isObject(next) && Object.keys(next).length === 0) return others;
  return { ...object, [key]: next };
}

/** Who owns which field of an object, and server-side apply, which rests on it. */
import { isDeepStrictEqual } from 'node:util';
import {
  dotted,
  type FieldPath,
  type FieldSet,
  fromFieldsV1,
  leaves,
  SEPARATOR,
  segments,
  setAt,
  toFieldsV1,
} from './fields.ts';
import { isObject, type Json, type JsonObject, metadataOf, text, without } from './objects.ts';
import { StatusError } from './status-error.ts';

/** Who writes, and how. */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
}

interface Ownership extends Manager {
  readonly time: string;
  readonly fields: FieldSet;
}

/** The object that results when `manager` turns `before` into `after` by a create, update or patch. */
export function updateOwnership(
  before: JsonObject | undefined,
  after: JsonObject,
  write: { readonly manager: Manager; readonly now: string },
): JsonObject {
  const old = before ? leaves(before) : new Map<FieldPath, Json>();
  const current = leaves(after);
  const changed = new Set(
    [...current].filter(([path, value]) => !isDeepStrictEqual(old.get(path), value)).map(([path]) => path),
  );
  const owners = ownersOf(before ?? {}).map((owner) => ({
    ...owner,
    fields: keep(owner.fields, (path) => current.has(path) && !changed.has(path)),
  }));
  return withOwners(after, changed.size === 0 ? owners : add(owners, write, changed));
}

export interface ApplyRequest {
  readonly manager: Manager;
  /** Takes fields from their owners instead of answering with a conflict. */
  readonly force: boolean;
  readonly now: string;
}

/**
 * Server-side apply: sets what `applied` holds, removes what this manager applied before and no longer does and nobody
 * else owns. Throws `StatusError` 409 with one cause a field when others own what would change.
 */
export function applyFields(
  live: JsonObject | undefined,
  applied: JsonObject,
  request: ApplyRequest,
): JsonObject {
  const wanted = leaves(applied);
  const present = live ? leaves(live) : new Map<FieldPath, Json>();
  const owners = ownersOf(live ?? {});
  const mine = owners.find((owner) => isSame(owner, request.manager));
  const others = owners.filter((owner) => owner !== mine);
  const changed = keep(
    new Set(wanted.keys()),
    (path) => !isDeepStrictEqual(present.get(path), wanted.get(path)),
  );
  if (!request.force) refuseConflicts(others, changed);

  let result = live ?? without(applied, 'metadata');
  for (const [path, value] of wanted) {
    // An empty map names no field: what others have in it is theirs.
    if (isEmpty(value) && [...present.keys()].some((each) => each.startsWith(`${path}${SEPARATOR}`)))
      continue;
    result = setAt(result, segments(path), value);
  }
  for (const path of mine?.fields ?? []) {
    const shared = others.some((owner) => owner.fields.has(path));
    if (!wanted.has(path) && !shared) result = setAt(result, segments(path), undefined);
  }
  const left = others.map((owner) => ({
    ...owner,
    fields: keep(owner.fields, (path) => !changed.has(path)),
  }));
  const own = new Set(wanted.keys());
  const time = mine && isDeepStrictEqual(mine.fields, own) && changed.size === 0 ? mine.time : request.now;
  return withOwners(result, [...left, { ...request.manager, time, fields: own }]);
}

function isEmpty(value: Json): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

function refuseConflicts(others: readonly Ownership[], changed: FieldSet): void {
  const causes = others.flatMap((owner) =>
    [...changed]
      .filter((path) => owner.fields.has(path))
      .map((path) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${printed(owner)}`,
        field: dotted(path),
      })),
  );
  if (causes.length === 0) return;
  const list = causes.map((cause) => `${cause.message}: ${cause.field}`).join('\n- ');
  const message = `Apply failed with ${causes.length} conflict${causes.length > 1 ? 's' : ''}: ${list}`;
  throw new StatusError(409, 'Conflict', message, { causes });
}

function printed({ name, subresource, operation, apiVersion }: Ownership): string {
  const who = subresource ? `"${name}" with subresource "${subresource}"` : `"${name}"`;
  return operation === 'Apply' ? who : `${who} using ${apiVersion}`;
}

function add(
  owners: readonly Ownership[],
  { manager, now }: { readonly manager: Manager; readonly now: string },
  paths: FieldSet,
): readonly Ownership[] {
  const mine = owners.find((owner) => isSame(owner, manager));
  const fields = new Set([...(mine?.fields ?? []), ...paths]);
  return [...owners.filter((owner) => owner !== mine), { ...manager, time: now, fields }];
}

function isSame(one: Manager, other: Manager): boolean {
  return (
    one.name === other.name && one.operation === other.operation && one.subresource === other.subresource
  );
}

function keep(fields: FieldSet, wanted: (path: FieldPath) => boolean): FieldSet {
  return new Set([...fields].filter(wanted));
}

function ownersOf(object: JsonObject): readonly Ownership[] {
  const entries = metadataOf(object).managedFields;
  if (!Array.isArray(entries)) return [];
  return entries.filter(isObject).map((entry: JsonObject) => ({
    name: text(entry.manager) ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: text(entry.apiVersion) ?? '',
    ...(text(entry.subresource) && { subresource: text(entry.subresource) as string }),
    time: text(entry.time) ?? '',
    fields: fromFieldsV1(entry.fieldsV1),
  }));
}

function withOwners(object: JsonObject, owners: readonly Ownership[]): JsonObject {
  const managedFields = owners
    .filter((owner) => owner.fields.size > 0)
    .map(({ name, operation, apiVersion, subresource, time, fields }) => ({
      manager: name,
      operation,
      apiVersion,
      time,
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(fields),
      ...(subresource && { subresource }),
    }));
  return { ...object, metadata: { ...metadataOf(object), managedFields } };
}

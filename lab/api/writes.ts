/** Create, update, patch, apply, delete: what the API server does to an object on its way into the store. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { isDeleted, isHeld, marked, OF_DELETION, requireNoNewFinalizers } from './finalizers.ts';
import { applyFields, type Manager, updateOwnership } from './managed-fields.ts';
import { mergePatch } from './merge-patch.ts';
import {
  apiVersion,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  metadataOf,
  NAMESPACES,
  only,
  type Resource,
  text,
  without,
} from './objects.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  invalid,
  modified,
  notFound,
  StatusError,
  success,
} from './status-error.ts';
import { type Key, keyOf, type Store } from './store.ts';
import { applicable, onlyWritable } from './subresources.ts';
import { validate } from './validate.ts';

/** Who asks, for what, and when. */
export interface Write {
  readonly resource: Resource;
  readonly namespace: string;
  /** Undefined for a create. */
  readonly name?: string;
  readonly subresource?: 'status';
  readonly manager: string;
  readonly force: boolean;
  /** RFC 3339 with seconds. */
  readonly now: string;
}

export class Writes {
  readonly #store: Store;
  constructor(store: Store) {
    this.#store = store;
  }

  create(write: Write, body: JsonObject): KubeObject {
    const named = this.#named(write, body);
    const key = { namespace: write.namespace, name: named.metadata.name };
    this.#requireNamespace(write);
    if (this.#store.get(write.resource, key)) throw alreadyExists(write.resource, key.name);
    if (metadataOf(body).resourceVersion)
      throw badRequest('resourceVersion should not be set on objects to be created');
    const fresh = newborn(write, named);
    return this.#put(
      write,
      key,
      updateOwnership(undefined, fresh, { manager: update(write), now: write.now }),
    );
  }

  update(write: Write, body: JsonObject): KubeObject {
    const { key, live } = this.#existing(write);
    const meta = metadataOf(body);
    if (text(meta.name) !== key.name) {
      throw badRequest(
        `the name of the object (${meta.name}) does not match the name on the URL (${key.name})`,
      );
    }
    if (!meta.resourceVersion && !write.resource.unconditionalUpdate) {
      throw invalid(write.resource, key.name, 'metadata.resourceVersion: must be specified for an update');
    }
    return this.#replace(write, live, body);
  }

  mergePatch(write: Write, patch: JsonObject): KubeObject {
    const { live } = this.#existing(write);
    const patched = mergePatch(live, patch);
    if (!isObject(patched)) throw badRequest('the patch leaves no object');
    immutableUid(write.resource, live, metadataOf(patched));
    return this.#replace(write, live, patched);
  }

  apply(write: Write, applied: JsonObject): { readonly object: KubeObject; readonly created: boolean } {
    const key = { namespace: write.namespace, name: write.name ?? '' };
    const meta = metadataOf(applied);
    if (meta.managedFields) throw badRequest('metadata.managedFields must be nil');
    this.#requireNamespace(write);
    const live = this.#store.get(write.resource, key);
    if (!live && (write.subresource || meta.uid)) throw this.#absent(write, meta.uid);
    if (live) {
      immutableUid(write.resource, live, meta);
      preconditions(write.resource, live, meta);
    }
    const merged = applyFields(live, applicable(write, applied), {
      manager: { ...update(write), operation: 'Apply' },
      force: write.force,
      now: write.now,
    });
    if (!live)
      return { object: this.#put(write, key, newborn(write, this.#named(write, merged))), created: true };
    return { object: this.#save(write, live, this.#named(write, merged)), created: false };
  }

  delete(write: Write, options: JsonObject): JsonObject {
    const { key, live } = this.#existing(write);
    const wanted = isObject(options.preconditions) ? options.preconditions : {};
    preconditions(write.resource, live, wanted);
    if (isHeld(live)) return isDeleted(live) ? live : this.#put(write, key, marked(live, write.now));
    this.#store.delete(write.resource, key);
    return success(write.resource, key.name, live.metadata.uid);
  }

  #replace(write: Write, live: KubeObject, body: JsonObject): KubeObject {
    const meta = metadataOf(body);
    preconditions(write.resource, live, meta);
    const next = this.#named(write, onlyWritable(write, body, live));
    const kept = metadataOf(live).managedFields ?? [];
    const owned = updateOwnership(
      live,
      { ...next, metadata: { ...next.metadata, managedFields: kept } },
      { manager: update(write), now: write.now },
    );
    return this.#save(write, live, owned);
  }

  /** Writes only what differs: an update without a change keeps its resource version. */
  #save(write: Write, live: KubeObject, next: JsonObject): KubeObject {
    const { uid, creationTimestamp, generation } = live.metadata;
    requireNoNewFinalizers(write.resource, live, next);
    const metadata = {
      ...without(metadataOf(next), ...OF_DELETION),
      ...only(live.metadata, OF_DELETION),
      uid,
      creationTimestamp,
      ...(generation !== undefined && { generation }),
    };
    const complete = { ...next, metadata: { ...metadata, resourceVersion: live.metadata.resourceVersion } };
    if (isDeepStrictEqual(complete, live)) return live;
    const specChanged = !isDeepStrictEqual(specOf(complete), specOf(live));
    const counted =
      write.resource.generation && specChanged
        ? { ...complete, metadata: { ...complete.metadata, generation: Number(generation ?? 1) + 1 } }
        : complete;
    if (isDeleted(counted) && !isHeld(counted)) {
      this.#store.delete(write.resource, keyOf(live));
      return counted as KubeObject;
    }
    return this.#put(write, keyOf(live), counted);
  }

  #put(write: Write, key: Key, object: JsonObject): KubeObject {
    validate(write.resource, object);
    return this.#store.put(write.resource, key, (resourceVersion) => {
      const complete = { ...object, metadata: { ...metadataOf(object), resourceVersion } };
      return complete as KubeObject;
    });
  }

  #existing(write: Write): { readonly key: Key; readonly live: KubeObject } {
    const key = { namespace: write.namespace, name: write.name ?? '' };
    const live = this.#store.get(write.resource, key);
    if (!live) throw notFound(write.resource, key.name);
    return { key, live };
  }

  #named(write: Write, body: JsonObject): KubeObject {
    const version = apiVersion(write.resource);
    if (
      (body.apiVersion ?? version) !== version ||
      (body.kind ?? write.resource.kind) !== write.resource.kind
    ) {
      throw badRequest(
        `the object is ${body.kind} in ${body.apiVersion}, not ${write.resource.kind} in ${version}`,
      );
    }
    const meta = metadataOf(body);
    const generated = text(meta.generateName);
    const name = write.name ?? text(meta.name) ?? (generated && `${generated}${randomUUID().slice(0, 5)}`);
    if (!name)
      throw new StatusError(
        422,
        'Invalid',
        'metadata.name: Required value: name or generateName is required',
      );
    const namespace = write.resource.namespaced ? { namespace: write.namespace } : {};
    const named = { ...body, apiVersion: version, kind: write.resource.kind };
    return { ...named, metadata: { ...meta, name, ...namespace } } as unknown as KubeObject;
  }

  #absent(write: Write, uid: Json | undefined): StatusError {
    if (!uid) return notFound(write.resource, write.name ?? '');
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    return conflict(write.resource, write.name ?? '', why);
  }

  #requireNamespace(write: Write): void {
    if (!write.resource.namespaced) return;
    if (!this.#store.get(NAMESPACES, { namespace: '', name: write.namespace })) {
      throw notFound(NAMESPACES, write.namespace);
    }
  }
}

function update(write: Write): Manager {
  return {
    name: write.manager,
    operation: 'Update',
    apiVersion: apiVersion(write.resource),
    ...(write.subresource && { subresource: write.subresource }),
  };
}

function newborn(write: Write, object: KubeObject): KubeObject {
  const metadata = {
    ...object.metadata,
    uid: randomUUID(),
    creationTimestamp: write.now,
    ...(write.resource.generation && { generation: 1 }),
  };
  const rest = write.resource.status === 'custom' ? without(object, 'status') : object;
  return { ...rest, metadata } as KubeObject;
}

function preconditions(resource: Resource, live: KubeObject, wanted: JsonObject): void {
  const { uid, resourceVersion, name } = live.metadata;
  if (wanted.uid && wanted.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`;
    throw conflict(resource, name, why);
  }
  if (wanted.resourceVersion && wanted.resourceVersion !== resourceVersion) throw modified(resource, name);
}

/** To a patch or an apply, another uid is an attempt to change it. */
function immutableUid(resource: Resource, live: KubeObject, { uid }: JsonObject): void {
  if (uid === undefined || uid === live.metadata.uid) return;
  throw invalid(resource, live.metadata.name, `metadata.uid: Invalid value: "${uid}": field is immutable`);
}

function specOf(object: JsonObject): JsonObject {
  return without(object, 'metadata', 'status');
}

/** What a modelled API server keeps: objects with versions and owners of their annotations, and what happened to them. */
import { KubeError } from '../../operator/kube/errors.ts';

export interface Metadata {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** RFC 3339. */
  readonly creationTimestamp: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Stored {
  readonly metadata: Metadata;
  readonly spec?: unknown;
}

export interface Change {
  readonly version: number;
  /** When it happened, in milliseconds. */
  readonly at: number;
  readonly collection: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Stored;
}

/** Values to set; `null` removes. */
type Annotations = Readonly<Record<string, string | null>>;

export interface Patch {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly annotations?: Annotations | undefined;
}

/** By manager: the annotations that it holds. */
type Owned = Map<string, ReadonlySet<string>>;

/** The manager that a first apply gives everything that nobody held. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

export class Store {
  readonly #now: () => number;
  readonly #objects = new Map<string, Stored>();
  readonly #owned = new Map<string, Owned>();
  #changes: Change[] = [];
  #version = 1;
  #forgotten = 0;
  #uids = 0;
  onChange: () => void = () => {};

  constructor(now: () => number) {
    this.#now = now;
  }

  get version(): number {
    return this.#version;
  }

  list(collection: string): readonly Stored[] {
    const prefix = `${collection}/`;
    return [...this.#objects].filter(([path]) => path.startsWith(prefix)).map(([, object]) => object);
  }

  get(collection: string, name: string): Stored {
    const found = this.#objects.get(`${collection}/${name}`);
    if (found === undefined) throw new KubeError('NOT_FOUND', name, { status: 404 });
    return found;
  }

  has(collection: string, name: string): boolean {
    return this.#objects.has(`${collection}/${name}`);
  }

  /** The next after a version. @throws KubeError `GONE` */
  after(collection: string, version: number): Change | undefined {
    if (version < this.#forgotten) throw new KubeError('GONE', `too old: ${version}`, { status: 410 });
    let found: Change | undefined;
    for (let at = this.#changes.length - 1; at >= 0; at -= 1) {
      const change = this.#changes[at];
      if (change === undefined || change.version <= version) break;
      if (change.collection === collection) found = change;
    }
    return found;
  }

  /** What happened until now can be asked for no more. */
  forget(): void {
    this.#forgotten = this.#version;
    this.#changes = [];
  }

  create(
    collection: string,
    { metadata, spec }: { metadata: { name: string; annotations?: Annotations | undefined }; spec?: unknown },
  ): Stored {
    const { name } = metadata;
    if (this.has(collection, name)) throw new KubeError('CONFLICT', `${name} exists`, { status: 409 });
    this.#uids += 1;
    const uid = `${name}-${this.#uids}`;
    const creationTimestamp = new Date(this.#now()).toISOString();
    const annotations = valuesOf(metadata.annotations ?? {});
    const object: Stored = { metadata: { name, annotations, uid, creationTimestamp, resourceVersion: '' } };
    return this.#put(collection, 'ADDED', spec === undefined ? object : { ...object, spec });
  }

  delete(collection: string, name: string): void {
    const object = this.get(collection, name);
    this.#objects.delete(`${collection}/${name}`);
    this.#owned.delete(`${collection}/${name}`);
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    this.#happened({ collection, type: 'DELETED', object: { ...object, metadata } });
  }

  /** Whatever it is now. */
  replace(collection: string, name: string, spec: unknown): void {
    this.#put(collection, 'MODIFIED', { ...this.get(collection, name), spec });
  }

  /** JSON merge patch (RFC 7396): whoever changes a value holds it. */
  merge(collection: string, name: string, patch: Patch): Stored {
    const object = this.#expected(collection, name, patch);
    const { annotations } = object.metadata;
    const changed = Object.entries(patch.annotations ?? {}).filter(
      ([key, value]) => (annotations[key] ?? null) !== value,
    );
    const keys = changed.map(([key]) => key);
    const set = changed.filter(([, value]) => value !== null).map(([key]) => key);
    const owned = this.#ownedOf(collection, name);
    const tracked = isTracked(owned);
    for (const [manager, held] of owned) owned.set(manager, without(held, keys));
    if (tracked) owned.set('merge', new Set([...(owned.get('merge') ?? []), ...set]));
    if (changed.length === 0) return object;
    return this.#annotate(collection, object, { ...annotations, ...Object.fromEntries(changed) });
  }

  /** Server-side apply, with force: what the manager names no more, and nobody else holds, goes. */
  apply(collection: string, name: string, { manager, patch }: { manager: string; patch: Patch }): Stored {
    if (!this.has(collection, name) && patch.uid !== undefined)
      throw new KubeError('CONFLICT', `${name}: no object has this uid`, { status: 409 });
    if (!this.has(collection, name)) return this.#applyFirst(collection, name, { manager, patch });
    const object = this.#expected(collection, name, patch);
    const owned = this.#ownedOf(collection, name);
    const before = heldBy(owned);
    if (!isTracked(owned)) owned.set(BEFORE_FIRST_APPLY, new Set(Object.keys(object.metadata.annotations)));
    const wanted = patch.annotations ?? {};
    const { annotations } = object.metadata;
    const dropped = without(owned.get(manager) ?? new Set(), Object.keys(wanted));
    const taken = Object.keys(wanted).filter((key) => annotations[key] !== wanted[key]);
    for (const [other, keys] of owned) owned.set(other, without(keys, taken));
    owned.set(manager, new Set(Object.keys(wanted)));
    const held = new Set([...owned.values()].flatMap((keys) => [...keys]));
    const removed = [...dropped].filter((key) => !held.has(key)).map((key) => [key, null] as const);
    // Who holds what is written too, and is a change.
    if (taken.length === 0 && removed.length === 0 && heldBy(owned) === before) return object;
    return this.#annotate(collection, object, { ...annotations, ...wanted, ...Object.fromEntries(removed) });
  }

  #applyFirst(
    collection: string,
    name: string,
    { manager, patch: { annotations = {} } }: { manager: string; patch: Patch },
  ): Stored {
    this.#ownedOf(collection, name).set(manager, new Set(Object.keys(annotations)));
    return this.create(collection, { metadata: { name, annotations } });
  }

  #expected(collection: string, name: string, { uid, resourceVersion }: Patch): Stored {
    const object = this.get(collection, name);
    const { metadata } = object;
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
      throw new KubeError('CONFLICT', `${name} was changed`, { status: 409 });
    if (uid !== undefined && uid !== metadata.uid)
      throw new KubeError('INVALID', `${name} is another`, { status: 422 });
    return object;
  }

  #annotate(collection: string, object: Stored, values: Annotations): Stored {
    const annotations = valuesOf(values);
    return this.#put(collection, 'MODIFIED', { ...object, metadata: { ...object.metadata, annotations } });
  }

  #put(collection: string, type: 'ADDED' | 'MODIFIED', object: Stored): Stored {
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    const stored = { ...object, metadata };
    this.#objects.set(`${collection}/${metadata.name}`, stored);
    this.#happened({ collection, type, object: stored });
    return stored;
  }

  #happened(change: Omit<Change, 'version' | 'at'>): void {
    this.#changes.push({ ...change, version: this.#version, at: this.#now() });
    this.onChange();
  }

  #ownedOf(collection: string, name: string): Owned {
    const path = `${collection}/${name}`;
    const owned = this.#owned.get(path) ?? new Map();
    this.#owned.set(path, owned);
    return owned;
  }
}

/** Nobody's writes are written down until somebody applies. */
function isTracked(owned: Owned): boolean {
  return owned.has(BEFORE_FIRST_APPLY) || [...owned.values()].some((keys) => keys.size > 0);
}

function without(keys: ReadonlySet<string>, gone: readonly string[]): ReadonlySet<string> {
  return new Set([...keys].filter((key) => !gone.includes(key)));
}

/** Whoever holds nothing is not written down, but for the one of before the first. */
function heldBy(owned: Owned): string {
  const holders = [...owned].filter(([manager, keys]) => keys.size > 0 || manager === BEFORE_FIRST_APPLY);
  return JSON.stringify(holders.map(([manager, keys]) => [manager, [...keys].sort()]).sort());
}

function valuesOf(annotations: Annotations): Readonly<Record<string, string>> {
  const left = Object.entries(annotations).filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries(left.sort(([a], [b]) => (a < b ? -1 : 1)));
}

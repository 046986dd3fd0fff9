/**
 * Objects with one resource version for all of them, as etcd numbers its writes, and the history that watches replay.
 *
 * The history is bounded: `compact` forgets it up to now, and a watch from before is told to list again (410).
 */
import { type KubeObject, type Resource, text } from './objects.ts';
import { expired } from './status-error.ts';

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: Resource;
  readonly version: number;
  readonly object: KubeObject;
  /** What it was before, for watches with a selector. */
  readonly before?: KubeObject;
}

export interface Snapshot {
  readonly version: number;
  /** Sorted by namespace and name. */
  readonly objects: readonly KubeObject[];
}

/** Namespace (empty for cluster-scoped objects) and name. */
export interface Key {
  readonly namespace: string;
  readonly name: string;
}

export class Store {
  /** Real clusters never start at 1 either; small numbers hide mistakes between versions and counts. */
  #version = 100;
  #compacted = 0;
  #history: Change[] = [];
  readonly #historyLimit: number;
  readonly #tables = new Map<Resource, Map<string, KubeObject>>();
  readonly #listeners = new Set<(change: Change) => void>();

  constructor(options: { readonly historyLimit?: number } = {}) {
    this.#historyLimit = options.historyLimit ?? 100_000;
  }

  get version(): number {
    return this.#version;
  }

  get(resource: Resource, key: Key): KubeObject | undefined {
    return this.#table(resource).get(join(key));
  }

  /** Everything of one kind, in one namespace when one is named. */
  list(resource: Resource, namespace?: string): Snapshot {
    const objects = [...this.#table(resource)]
      .filter(([, object]) => namespace === undefined || object.metadata.namespace === namespace)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, object]) => object);
    return { version: this.#version, objects };
  }

  /** Stores what `build` makes of the next resource version. */
  put(resource: Resource, key: Key, build: (resourceVersion: string) => KubeObject): KubeObject {
    const before = this.get(resource, key);
    this.#version += 1;
    const object = build(String(this.#version));
    this.#table(resource).set(join(key), object);
    this.#record({
      type: before ? 'MODIFIED' : 'ADDED',
      resource,
      version: this.#version,
      object,
      ...(before && { before }),
    });
    return object;
  }

  /** Returns the object as it was last, with the resource version of its deletion; undefined when there was none. */
  delete(resource: Resource, key: Key): KubeObject | undefined {
    const before = this.get(resource, key);
    if (!before) return undefined;
    this.#version += 1;
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#version) } };
    this.#table(resource).delete(join(key));
    this.#record({ type: 'DELETED', resource, version: this.#version, object, before });
    return object;
  }

  /** Changes after `version`. Throws 410 Expired when they are no longer known. */
  since(resource: Resource, version: number): readonly Change[] {
    if (version < this.#compacted) {
      throw expired(`too old resource version: ${version} (${this.#compacted})`);
    }
    return this.#history.filter((change) => change.version > version && change.resource === resource);
  }

  /** Forgets the history: whoever watches from an older version gets 410. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history = [];
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #record(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > this.#historyLimit) {
      const forgotten = this.#history.splice(0, this.#history.length / 2);
      this.#compacted = forgotten.at(-1)?.version ?? this.#compacted;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }

  #table(resource: Resource): Map<string, KubeObject> {
    const table = this.#tables.get(resource) ?? new Map<string, KubeObject>();
    this.#tables.set(resource, table);
    return table;
  }
}

export function keyOf(object: KubeObject): Key {
  return { namespace: text(object.metadata.namespace) ?? '', name: object.metadata.name };
}

function join({ namespace, name }: Key): string {
  return `${namespace}/${name}`;
}

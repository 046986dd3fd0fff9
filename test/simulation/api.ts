/** A modelled API server: Nodes and the wish of the people, watched with delay, out of date, or not at all. */

import type { Target } from '../../mesh/stance.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import type { NodeMetadata } from '../../operator/kube/node.ts';
import type { Time } from './time.ts';

/** Its `version` is raised with every change. */
export type Wish = Pick<Target, 'encryption' | 'mode' | 'generation' | 'passOver'> & {
  readonly version: number;
};

export interface Watcher {
  readonly node: string;
  /** All Nodes, as one list. */
  replace(nodes: readonly NodeMetadata[], wish: Wish): void;
  event(change: Change): void;
}

export type Change =
  | { readonly type: 'node'; readonly metadata: NodeMetadata }
  | { readonly type: 'gone'; readonly name: string }
  | { readonly type: 'wish'; readonly wish: Wish };

export class Api {
  readonly time: Time;
  readonly random: () => number;
  readonly nodes = new Map<string, NodeMetadata>();
  wish: Wish;
  readonly #watchers = new Map<Watcher, () => void>();
  /** Nodes that do not reach it; and until when the watch of a node tells nothing new. */
  readonly cut = new Set<string>();
  readonly stale = new Map<string, number>();
  /** When the last event on the way to a watcher arrives: they arrive in order. */
  readonly #arrival = new Map<Watcher, number>();
  #version = 0;
  writes = 0;

  constructor(time: Time, random: () => number, wish: Omit<Wish, 'version'>) {
    this.time = time;
    this.random = random;
    this.wish = { ...wish, version: 1 };
  }

  put(metadata: Omit<NodeMetadata, 'resourceVersion'>): NodeMetadata {
    this.#version += 1;
    const node = { ...metadata, resourceVersion: String(this.#version) };
    this.nodes.set(node.name, node);
    this.#tell({ type: 'node', metadata: node });
    return node;
  }

  remove(name: string): void {
    this.#version += 1;
    if (this.nodes.delete(name)) this.#tell({ type: 'gone', name });
  }

  say(wish: Partial<Wish>): void {
    this.wish = { ...this.wish, ...wish, version: this.wish.version + 1 };
    this.#tell({ type: 'wish', wish: this.wish });
  }

  /** Server-side apply of annotations: those that are not named go. @throws KubeError */
  async apply(
    node: string,
    uid: string,
    annotations: Readonly<Record<string, string>>,
  ): Promise<NodeMetadata> {
    await this.time.sleep(2 + this.random() * 30);
    if (this.cut.has(node)) throw new KubeError('API_UNREACHABLE', 'cut');
    const known = this.nodes.get(node);
    if (known === undefined) throw new KubeError('NOT_FOUND', node);
    if (known.uid !== uid) throw new KubeError('CONFLICT', node);
    this.writes += 1;
    const written = this.put({ ...known, annotations });
    await this.time.sleep(2 + this.random() * 30);
    // It was written, though nobody hears of it.
    if (this.cut.has(node)) throw new KubeError('API_UNREACHABLE', 'cut');
    return written;
  }

  /** Lists, then tells. The watcher is off when it says so, or as soon as its node is cut. */
  watch(watcher: Watcher): () => void {
    let ended = false;
    const list = () => {
      if (ended) return;
      if (this.cut.has(watcher.node)) {
        this.time.after(500, list);
        return;
      }
      const [nodes, wish] = [[...this.nodes.values()], this.wish];
      this.#watchers.set(watcher, list);
      this.#later(watcher, () => watcher.replace(nodes, wish));
    };
    this.time.after(5, list);
    return () => {
      ended = true;
      this.#watchers.delete(watcher);
    };
  }

  /** A watch that is cut off begins with a list again. */
  disconnect(node: string): void {
    this.cut.add(node);
    for (const [watcher, list] of this.#watchers) {
      if (watcher.node !== node) continue;
      this.#watchers.delete(watcher);
      this.#arrival.delete(watcher);
      this.time.after(200, list);
    }
  }

  reconnect(node: string): void {
    this.cut.delete(node);
  }

  #tell(change: Change): void {
    for (const watcher of this.#watchers.keys()) this.#later(watcher, () => watcher.event(change));
  }

  #later(watcher: Watcher, tell: () => void): void {
    const now = this.time.now();
    const fresh = Math.max(now, this.stale.get(watcher.node) ?? 0) + 5 + this.random() * 200;
    const at = Math.max(fresh, this.#arrival.get(watcher) ?? 0);
    this.#arrival.set(watcher, at);
    this.time.after(at - now, () => {
      if (this.#watchers.has(watcher)) tell();
    });
  }
}

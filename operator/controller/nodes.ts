/** All Nodes of the cluster as the controller sees them, kept up by a watch of their metadata. */
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import { NODES } from '../kube/node.ts';
import { reflect } from '../kube/reflector.ts';
import { type ClusterNode, keepNode, sameNode } from './node.ts';

export interface ClusterNodesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: () => number;
  /** Something that we keep is different now. */
  readonly onChange: () => void;
  readonly onTrouble: (error: KubeError | undefined) => void;
  readonly onFault: (error: unknown) => void;
}

export class ClusterNodes {
  readonly #options: ClusterNodesOptions;
  readonly #nodes = new Map<string, ClusterNode>();
  #sorted: readonly ClusterNode[] | undefined;
  #listed = false;

  constructor(options: ClusterNodesOptions) {
    this.#options = options;
  }

  /** Sorted by name; undefined until all were listed once. The same array until something changed. */
  list(): readonly ClusterNode[] | undefined {
    if (!this.#listed) return undefined;
    this.#sorted ??= [...this.#nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  /** Resolves when the signal aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { client, clock, random, onTrouble, onFault } = this.#options;
    const handler = {
      replace: (items: readonly ClusterNode[]) => this.#replace(items),
      upsert: (node: ClusterNode) => this.#put(node),
      remove: ({ name }: ClusterNode) => {
        if (this.#nodes.delete(name)) this.#changed();
      },
      trouble: onTrouble,
      failed: onFault,
    };
    return reflect(
      { client, clock, random, path: NODES, metadataOnly: true, keep: keepNode, handler },
      signal,
    );
  }

  #replace(items: readonly ClusterNode[]): void {
    const names = new Set(items.map(({ name }) => name));
    for (const name of [...this.#nodes.keys()]) if (!names.has(name)) this.#nodes.delete(name);
    for (const node of items) this.#put(node);
    this.#listed = true;
    this.#changed();
  }

  #put(node: ClusterNode): void {
    const known = this.#nodes.get(node.name);
    if (known !== undefined && sameNode(known, node)) return;
    this.#nodes.set(node.name, node);
    this.#changed();
  }

  #changed(): void {
    this.#sorted = undefined;
    this.#options.onChange();
  }
}

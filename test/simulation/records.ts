/** A node's view of the API: the watch of `Api` as the source of records. */
import { parseRecord } from '../../mesh/record.ts';
import type { NodeRecord } from '../../mesh/types.ts';
import type { NodeMetadata } from '../../operator/kube/node.ts';
import type { OwnNodeView, RecordsSource } from '../../operator/records/source.ts';
import type { RecordsStatus } from '../../operator/status.ts';
import type { Change } from './api.ts';

export class ModelRecords implements RecordsSource {
  readonly #self: string;
  readonly #nodes = new Map<string, { readonly metadata: NodeMetadata; readonly record: NodeRecord }>();
  #sorted: readonly NodeRecord[] | undefined;
  source: RecordsStatus['source'] = 'none';
  connected = false;

  constructor(self: string, kept: readonly NodeMetadata[] | undefined) {
    this.#self = self;
    if (kept === undefined) return;
    for (const metadata of kept) this.#put(metadata);
    this.source = 'disk';
  }

  replace(nodes: readonly NodeMetadata[]): void {
    this.#nodes.clear();
    for (const metadata of nodes) this.#put(metadata);
    this.#sorted = undefined;
    this.source = 'api';
    this.connected = true;
  }

  take(change: Exclude<Change, { type: 'wish' }>): void {
    if (change.type === 'node') this.#put(change.metadata);
    else this.#nodes.delete(change.name);
    this.#sorted = undefined;
  }

  metadata(): readonly NodeMetadata[] {
    return [...this.#nodes.values()].map(({ metadata }) => metadata);
  }

  records(): readonly NodeRecord[] {
    this.#sorted ??= [...this.#nodes.values()]
      .map(({ record }) => record)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  own(): OwnNodeView {
    const metadata = this.#nodes.get(this.#self)?.metadata;
    if (metadata !== undefined) return { state: 'present', metadata };
    return { state: this.source === 'api' ? 'absent' : 'unknown' };
  }

  status(): RecordsStatus {
    return { source: this.source, nodes: this.#nodes.size, connected: this.connected };
  }

  run = async () => {};

  #put(metadata: NodeMetadata): void {
    this.#nodes.set(metadata.name, { metadata, record: parseRecord(metadata) });
  }
}

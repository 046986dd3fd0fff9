/** Records from the metadata of all Nodes: one paged list and one watch, of which only our annotations are kept. */
import { parseRecord } from '../../mesh/record.ts';
import type { NodeRecord } from '../../mesh/types.ts';
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import { labelsOf, NODES, type NodeMetadata, parseNodeMetadata } from '../kube/node.ts';
import { type ReflectorHandler, reflect } from '../kube/reflector.ts';
import type { RecordsStatus } from '../status.ts';
import type { OwnNodeView, RecordsChange, RecordsSource } from './source.ts';

export interface NodeRecordsOptions {
  readonly client: KubeClient;
  /** The name of our own Node. */
  readonly self: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** What the disk held. */
  readonly kept?: KeptNodes | undefined;
  readonly onTrouble: (error: KubeError | undefined) => void;
  /** A fault of our own while handling what came. */
  readonly onFault: (error: unknown) => void;
}

/** What a later boot without the API begins with. */
export interface KeptNodes {
  /** When it was last known to be true, in milliseconds since the epoch. */
  readonly at: number;
  readonly nodes: readonly NodeMetadata[];
}

interface Entry {
  readonly metadata: NodeMetadata;
  readonly record: NodeRecord;
}

export class NodeRecords implements RecordsSource {
  readonly #options: NodeRecordsOptions;
  readonly #entries = new Map<string, Entry>();
  #sorted: readonly NodeRecord[] | undefined;
  #source: RecordsStatus['source'] = 'none';
  #at: number | undefined;
  #connected = false;
  #onChange: (what: RecordsChange) => void = () => {};

  constructor(options: NodeRecordsOptions) {
    this.#options = options;
    if (options.kept === undefined) return;
    for (const metadata of options.kept.nodes) this.#put(metadata);
    this.#source = 'disk';
    this.#at = options.kept.at;
  }

  records(): readonly NodeRecord[] {
    this.#sorted ??= [...this.#entries.values()]
      .map((entry) => entry.record)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  own(): OwnNodeView {
    const entry = this.#entries.get(this.#options.self);
    if (entry !== undefined) return { state: 'present', metadata: entry.metadata };
    return this.#source === 'api' ? { state: 'absent' } : { state: 'unknown' };
  }

  status(): RecordsStatus {
    const at = this.#connected ? this.#options.clock.now() : this.#at;
    return {
      source: this.#source,
      ...(at === undefined ? {} : { at, age: Math.max(0, this.#options.clock.now() - at) }),
      nodes: this.#entries.size,
      connected: this.#connected,
    };
  }

  /** What to keep on disk. */
  kept(): KeptNodes | undefined {
    if (this.#at === undefined) return undefined;
    return { at: this.#at, nodes: [...this.#entries.values()].map((entry) => entry.metadata) };
  }

  run(onChange: (what: RecordsChange) => void, signal: AbortSignal): Promise<void> {
    this.#onChange = onChange;
    const { client, clock, random, self } = this.#options;
    return reflect(
      {
        client,
        clock,
        random,
        path: NODES,
        metadataOnly: true,
        keep(object) {
          const metadata = parseNodeMetadata(object);
          return metadata?.name === self ? { ...metadata, labels: labelsOf(object) } : metadata;
        },
        handler: this.#handler(),
      },
      signal,
    );
  }

  #handler(): ReflectorHandler<NodeMetadata> {
    return {
      replace: (items) => this.#replace(items),
      upsert: (metadata) => this.#tell(this.#put(metadata), metadata.name),
      remove: (metadata) => this.#tell(this.#delete(metadata.name), metadata.name),
      alive: () => {
        this.#at = this.#options.clock.now();
        this.#connect(true);
      },
      trouble: (error) => {
        if (error !== undefined) this.#connect(false);
        this.#options.onTrouble(error);
      },
      failed: this.#options.onFault,
    };
  }

  #replace(items: readonly NodeMetadata[]): void {
    const names = new Set(items.map((metadata) => metadata.name));
    const gone = [...this.#entries.keys()].filter((name) => !names.has(name));
    const ownBefore = this.own();
    const first = this.#source !== 'api';
    this.#source = 'api';
    for (const name of gone) this.#delete(name);
    const changed = items.map((metadata) => this.#put(metadata)).includes('record');
    if (first || changed || gone.length > 0) this.#onChange('records');
    if (first || !sameOwn(ownBefore, this.own())) this.#onChange('own');
  }

  /** Says what of it is new; a heartbeat is nothing but another resource version. */
  #put(metadata: NodeMetadata): Novelty {
    const known = this.#entries.get(metadata.name);
    if (known !== undefined && sameClaims(known.metadata, metadata)) {
      if (known.metadata.resourceVersion === metadata.resourceVersion) return 'nothing';
      this.#entries.set(metadata.name, {
        metadata: { ...metadata, annotations: known.metadata.annotations },
        record: known.record,
      });
      return 'version';
    }
    this.#entries.set(metadata.name, { metadata, record: parseRecord(metadata) });
    this.#sorted = undefined;
    return 'record';
  }

  #delete(name: string): Novelty {
    if (!this.#entries.delete(name)) return 'nothing';
    this.#sorted = undefined;
    return 'record';
  }

  #tell(novelty: Novelty, name: string): void {
    if (novelty === 'record') this.#onChange('records');
    if (novelty !== 'nothing' && name === this.#options.self) this.#onChange('own');
  }

  #connect(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#onChange('connection');
  }
}

type Novelty = 'nothing' | 'version' | 'record';

function sameClaims(a: NodeMetadata, b: NodeMetadata): boolean {
  if (a.uid !== b.uid || a.creationTimestamp !== b.creationTimestamp) return false;
  const keys = Object.keys(a.annotations);
  return (
    keys.length === Object.keys(b.annotations).length &&
    keys.every((key) => a.annotations[key] === b.annotations[key])
  );
}

function sameOwn(a: OwnNodeView, b: OwnNodeView): boolean {
  if (a.state !== 'present' || b.state !== 'present') return a.state === b.state;
  return a.metadata.resourceVersion === b.metadata.resourceVersion && a.metadata.uid === b.metadata.uid;
}

/**
 * Where the knowledge of the other nodes comes from. Today from the metadata of all Nodes; at scale from slices that the
 * controller writes. Nothing past this interface may notice the difference.
 */
import type { NodeRecord } from '../../mesh/types.ts';
import type { NodeMetadata } from '../kube/node.ts';
import type { RecordsStatus } from '../status.ts';

export interface RecordsSource {
  /** Every Node that we know of, this one included, sorted by name. The same array until something changed. */
  records(): readonly NodeRecord[];
  /** Our own Node as it was last seen, with its annotations. */
  own(): OwnNodeView;
  status(): RecordsStatus;
  /** Calls back when one of the above changed in more than its age. Resolves when the signal aborted. */
  run(onChange: (what: RecordsChange) => void, signal: AbortSignal): Promise<void>;
}

export type RecordsChange = 'records' | 'own' | 'connection';

export type OwnNodeView =
  /** Not heard of yet. */
  | { readonly state: 'unknown' }
  | { readonly state: 'present'; readonly metadata: NodeMetadata }
  /** The API server says that there is none. */
  | { readonly state: 'absent' };

/**
 * `sheath.dev/sending`: what this node may still send on. In clear (0) counts only towards the peers that had a record when
 * encryption was enabled here; who comes later changes nothing, or every newcomer would make every node write.
 */
import type { KeyringEntry } from '../../keys/keyring.ts';
import { parseRecord } from '../../mesh/record.ts';
import type { NodeRecord, PeerStatus } from '../../mesh/types.ts';
import type { NodeMetadata } from '../kube/node.ts';

export const IN_CLEAR = 0;

/** Uids of the Nodes towards which we may still send in clear. */
export type Clear = ReadonlySet<string>;

export function sending(generations: readonly number[], clear: Clear | undefined): readonly number[] {
  return clear === undefined || clear.size === 0 ? [...generations] : [IN_CLEAR, ...generations];
}

export interface StartInput {
  /** As the last agent left it. */
  readonly kept: Clear | undefined;
  /** Our own Node. */
  readonly seen: NodeMetadata | undefined;
  readonly key: KeyringEntry;
  readonly records: readonly NodeRecord[];
  readonly self: string;
}

/** Encryption is enabled anew when our Node does not carry the key that we hold; else what was promised there goes on. */
export function clearAtStart({ kept, seen, key, records, self }: StartInput): Clear {
  const published = seen === undefined ? undefined : parseRecord(seen);
  const goesOn = published?.generations.some((generation) => generation.publicKey === key.publicKey) ?? false;
  if (goesOn && published?.sending.includes(IN_CLEAR) === false) return new Set();
  if (goesOn && kept !== undefined) return kept;
  return withRecord(records, self);
}

function withRecord(records: readonly NodeRecord[], self: string): Clear {
  return new Set(
    records
      .filter((record) => record.name !== self && record.generations.length > 0)
      .map((record) => record.uid),
  );
}

/** Those of `clear` that still have a record and no route through the mesh; the same set when all have. */
export function stillInClear(
  clear: Clear,
  records: readonly NodeRecord[],
  statuses: ReadonlyMap<string, PeerStatus>,
): Clear {
  if (clear.size === 0) return clear;
  const waiting = records.filter((record) => {
    const state = statuses.get(record.name)?.state;
    return (
      clear.has(record.uid) && record.generations.length > 0 && state !== 'routed' && state !== 'degraded'
    );
  });
  return waiting.length === clear.size ? clear : new Set(waiting.map((record) => record.uid));
}

/**
 * One key published by two Nodes. Only the owner of the private key can complete a handshake, so a trial decides, not a
 * rank: `evidence.keyHolders` names who is tried; before anybody was, the older Node.
 */
import type { PublicKey } from '../keys/generation.ts';
import { compareAge } from './claims.ts';
import type { Evidence, MeshPlan, NodeRecord, Refusal } from './types.ts';

/** Records that publish a key which another one publishes too; whose it is for now comes first. */
export function keyDisputes(
  records: readonly NodeRecord[],
  evidence: Evidence,
): ReadonlyMap<PublicKey, readonly NodeRecord[]> {
  const first = new Map<PublicKey, NodeRecord>();
  const disputes = new Map<PublicKey, NodeRecord[]>();
  for (const record of records) {
    for (const { publicKey } of record.generations) {
      const other = first.get(publicKey);
      if (other === undefined) first.set(publicKey, record);
      else if (other !== record) {
        const found = disputes.get(publicKey) ?? [other];
        if (!found.includes(record)) found.push(record);
        disputes.set(publicKey, found);
      }
    }
  }
  for (const [key, contenders] of disputes) contenders.sort(byTurn(evidence.keyHolders.get(key)));
  return disputes;
}

function byTurn(holder: string | undefined): (a: NodeRecord, b: NodeRecord) => number {
  return (a, b) => Number(b.uid === holder) - Number(a.uid === holder) || compareAge(a, b);
}

/** Two or more Nodes that publish one key. */
export interface KeyContention {
  readonly publicKey: PublicKey;
  /** Who is tried now. */
  readonly holder: string;
  /** Who waits; the older Node first. */
  readonly others: readonly { readonly node: string; readonly uid: string }[];
}

/**
 * For the agent: when `holder` is not established some 30 s after it came into the plan, put the uid of the next of `others`
 * into `evidence.keyHolders` and plan again, round and round; once one is established, keep it there.
 */
export function keyContenders(plan: MeshPlan): readonly KeyContention[] {
  const byKey = Map.groupBy(plan.refused.filter(isKeyClaim), ({ publicKey }) => publicKey);
  return Array.from(byKey, ([publicKey, refusals]) => ({
    publicKey,
    holder: refusals[0]?.inFavourOf ?? '',
    others: refusals.map(({ node, uid }) => ({ node, uid })),
  }));
}

type KeyRefusal = Refusal & { readonly publicKey: PublicKey; readonly inFavourOf: string };

function isKeyClaim(refusal: Refusal): refusal is KeyRefusal {
  return (
    refusal.code === 'KEY_CLAIMED' && refusal.publicKey !== undefined && refusal.inFavourOf !== undefined
  );
}

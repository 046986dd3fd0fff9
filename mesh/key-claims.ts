/**
 * One key published by two Nodes. Only the owner of the private key can complete a handshake, so a trial decides, not a
 * rank: `evidence.keyHolders` names who is tried; before anybody was, the older Node.
 */
import type { PublicKey } from '../keys/generation.ts';
import { compareAge } from './claims.ts';
import type { Evidence, MeshPlan, NodeRecord, Refusal } from './types.ts';

/** Whose the key is for now, and who waits. */
export function inTurn(
  [key, contenders]: readonly [PublicKey, readonly NodeRecord[]],
  evidence: Evidence,
): readonly NodeRecord[] {
  return [...contenders].sort(byTurn(evidence.keyHolders.get(key)));
}

function byTurn(holder: string | undefined): (a: NodeRecord, b: NodeRecord) => number {
  return (a, b) => Number(b.uid === holder) - Number(a.uid === holder) || compareAge(a, b);
}

/** Two or more Nodes that publish one key. */
export interface KeyContention {
  readonly publicKey: PublicKey;
  /** Who is tried now. */
  readonly holder: string;
  /** Who waits, in the order in which to try them: by name, from the holder on and round again. */
  readonly others: readonly { readonly node: string; readonly uid: string }[];
}

/**
 * For the agent: when `holder` is not established some 30 s after it came into the plan, put the uid of the first of
 * `others` into `evidence.keyHolders` and plan again, round and round; once one is established, keep it there.
 */
export function keyContenders(plan: MeshPlan): readonly KeyContention[] {
  const byKey = Map.groupBy(plan.refused.filter(isKeyClaim), ({ publicKey }) => publicKey);
  return Array.from(byKey, ([publicKey, refusals]) => {
    const holder = refusals[0]?.inFavourOf ?? '';
    const waiting = refusals.map(({ node, uid }) => ({ node, uid }));
    const [before, after] = [false, true].map((later) =>
      waiting.filter(({ node }) => node > holder === later),
    );
    return { publicKey, holder, others: [...(after ?? []), ...(before ?? [])] };
  });
}

type KeyRefusal = Refusal & { readonly publicKey: PublicKey; readonly inFavourOf: string };

function isKeyClaim(refusal: Refusal): refusal is KeyRefusal {
  return (
    refusal.code === 'KEY_CLAIMED' && refusal.publicKey !== undefined && refusal.inFavourOf !== undefined
  );
}

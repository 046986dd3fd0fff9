/** Of two Nodes with one key only the owner of the private key can answer: one is tried after the other, and who answers is kept. */
import type { PublicKey } from '../../keys/generation.ts';
import { keyContenders } from '../../mesh/plan.ts';
import type { MeshPlan, PeerStatus } from '../../mesh/types.ts';

/** Milliseconds: several handshakes of 5 s each had their chance. */
const PATIENCE = 30_000;

export interface Trial {
  readonly node: string;
  readonly since: number;
}

export interface TrialsInput {
  readonly plan: MeshPlan;
  readonly statuses: ReadonlyMap<string, PeerStatus>;
  readonly holders: ReadonlyMap<PublicKey, string>;
  /** What the last call returned. */
  readonly trials: ReadonlyMap<PublicKey, Trial>;
  readonly now: number;
}

export interface TrialsOutcome {
  readonly trials: ReadonlyMap<PublicKey, Trial>;
  /** The same map when nothing changed. */
  readonly holders: ReadonlyMap<PublicKey, string>;
}

export function judgeTrials({ plan, statuses, holders, trials, now }: TrialsInput): TrialsOutcome {
  const next = new Map<PublicKey, Trial>();
  let changed: Map<PublicKey, string> | undefined;
  const hold = (key: PublicKey, uid: string | undefined) => {
    if (uid === undefined || holders.get(key) === uid) return;
    changed ??= new Map(holders);
    changed.set(key, uid);
  };
  for (const { publicKey, holder, others } of keyContenders(plan)) {
    const known = trials.get(publicKey);
    const trial = known?.node === holder ? known : { node: holder, since: now };
    next.set(publicKey, trial);
    if (provedItself(statuses.get(holder))) {
      hold(publicKey, plan.peers.find((peer) => peer.node === holder)?.uid);
    } else if (now - trial.since >= PATIENCE) {
      hold(publicKey, others[0]?.uid);
    }
  }
  return { trials: next, holders: changed ?? holders };
}

/**
 * Who proved itself with a key before another Node published it is its holder from the first plan on: an older Node must not take a
 * living peer's place by publishing its key. Returns the same map when nothing changed.
 */
export function keepProved({
  plan,
  statuses,
  holders,
}: Pick<TrialsInput, 'plan' | 'statuses' | 'holders'>): ReadonlyMap<PublicKey, string> {
  const kept = keyContenders(plan).flatMap(({ publicKey, others }) => {
    if (holders.has(publicKey)) return [];
    const proved = others.find(({ node }) => {
      const status = statuses.get(node);
      return status?.publicKey === publicKey && provedItself(status);
    });
    return proved === undefined ? [] : [[publicKey, proved.uid] as const];
  });
  return kept.length === 0 ? holders : new Map([...holders, ...kept]);
}

function provedItself(status: PeerStatus | undefined): boolean {
  return status?.state === 'established' || status?.state === 'routed' || status?.state === 'degraded';
}

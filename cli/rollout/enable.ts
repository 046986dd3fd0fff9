/**
 * `sheath enable`: looks first, writes the resource, and waits. Strict comes last, when nobody sends in clear any more. Another driver than
 * the cluster has comes with the next generation, in one write: the rest is a rotation.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Straggler } from '../../mesh/progress.ts';
import { rotation } from '../../mesh/rotation-progress.ts';
import type { Spec } from '../../operator/config/schema.ts';
import type { Context } from '../context.ts';
import { checkNodes, keepScope, requireClusterPrefixes } from './checks.ts';
import { RolloutCluster, type Snapshot, selected } from './cluster.ts';
import { confirm } from './confirm.ts';
import { begun, chosenResult, dryRun, encryptedResult, movedMessage, outcome } from './enable-result.ts';
import { movesTo, newest, requireSettled } from './generation.ts';
import type { Goal } from './goal.ts';
import { timeoutOf } from './options.ts';
import { finish, type RolloutResult } from './result.ts';
import { leftOut, members } from './selection.ts';
import { type Waited, waitFor } from './wait.ts';
import { type EnableFlags, type Wish, wishOf } from './wish.ts';
import { changeSpec, difference } from './write.ts';

/** Milliseconds in which an agent sees what it cannot do of what it was told anew. */
const LOOKS = 3000;

/** @throws CliError, KubeError */
export async function enable(flags: EnableFlags, context: Context): Promise<void> {
  const timeout = timeoutOf(flags);
  // What needs no cluster to be wrong is told without one.
  wishOf({ encryption: 'ipsec', ...flags }, { mesh: undefined });
  const cluster = await RolloutCluster.open(flags, { timeout, context });
  try {
    const snapshot = await cluster.snapshot();
    const wish = wishOf(flags, snapshot);
    if (flags.strict === true) await requireClusterPrefixes(cluster, snapshot, wish);
    keepScope(snapshot, wish);
    const cannot = checkNodes(snapshot, wish, flags);
    if (flags.wait !== true && movesTo(snapshot, wish.encryption) !== undefined) requireSettled(snapshot);
    const changed = difference(asWritten(snapshot, wish), snapshot.mesh?.spec ?? {});
    const left = leftOut(snapshot, wish);
    if (flags.dryRun === true)
      return await finish(dryRun({ changed, cannot, left, of: members(snapshot, wish) }), flags, context);
    await ask({ changed, snapshot, left, flags }, context);
    await finish(
      await carryOut({ cluster, snapshot, wish, cannot, timeout, flags }, context),
      flags,
      context,
    );
  } finally {
    cluster.close();
  }
}

/** With the generation that another driver comes with. */
function asWritten(snapshot: Snapshot, wish: Wish): Spec {
  const generation = movesTo(snapshot, wish.encryption);
  return generation === undefined ? wish : { ...wish, generation };
}

interface Asked {
  readonly changed: RolloutResult['changed'];
  readonly snapshot: Snapshot;
  readonly left: readonly string[];
  readonly flags: EnableFlags;
}

/** Only what can cost somebody traffic is asked about: a door that shuts, or one that opens, and who goes back into clear. */
async function ask({ changed, snapshot, left, flags }: Asked, context: Context): Promise<void> {
  if (flags.yes === true) return;
  if (left.length > 0) {
    const text = `${left.length} Nodes that are encrypted now would be left out (${left.slice(0, 5).join(', ')}${left.length > 5 ? ', ...' : ''}): what they send will be in clear, and strict nodes drop it.`;
    await confirm([{ text, answer: 'leave out' }], context);
  }
  if (changed.mode === undefined) return;
  const opens = snapshot.mesh?.spec.mode === 'strict';
  if (changed.mode === 'strict')
    await confirm(
      [{ text: 'Whatever has no tunnel will be dropped, in both directions.', answer: 'yes' }],
      context,
    );
  else if (opens)
    await confirm([{ text: 'Traffic without a tunnel will pass in clear again.', answer: 'yes' }], context);
}

interface Work {
  readonly cluster: RolloutCluster;
  readonly snapshot: Snapshot;
  readonly wish: Wish;
  readonly cannot: readonly Straggler[];
  readonly timeout: number;
  readonly flags: EnableFlags;
}

interface Step extends Work {
  /** By `performance.now()`. */
  readonly until: number;
}

async function carryOut(work: Work, context: Context): Promise<RolloutResult> {
  const { cluster, snapshot, wish, cannot, flags, timeout } = work;
  // A person may have been asked meanwhile.
  cluster.within(timeout);
  const step = { ...work, until: performance.now() + timeout };
  const shutsLater = wish.mode === 'strict' && snapshot.mesh?.spec.mode !== 'strict';
  const first = shutsLater ? { ...wish, mode: snapshot.mesh?.spec.mode ?? ('permissive' as const) } : wish;
  if (flags.wait === true) await untilSettled(step, context);
  let changed = await changeSpec(cluster, await cluster.snapshot(), (now) => {
    if (movesTo(now, wish.encryption) !== undefined) requireSettled(now);
    return asWritten(now, first);
  });
  const goal = goalOf(await cluster.snapshot(), wish);
  if (shutsLater) {
    const encrypted = await wait(step, goal, context);
    if (!encrypted.reached)
      return {
        ...outcome(encrypted, wish),
        message: 'not strict: some nodes still send in clear, so no door was shut; the same command goes on',
        changed,
      };
    changed = { ...changed, ...(await changeSpec(cluster, await cluster.snapshot(), { mode: 'strict' })) };
  }
  if (flags.wait !== true) return { message: begun(goal, wish), changed, waiting: cannot };
  const moved = goal.kind === 'rotated' ? await wait(step, goal, context) : undefined;
  if (moved?.reached === false || (moved !== undefined && wish.mode !== 'strict'))
    return { ...outcome(moved, wish), message: movedMessage(moved, goal, wish), changed };
  const last = { kind: wish.mode === 'strict' ? 'strict' : 'encrypted' } as const;
  const waited = await wait(step, last, context);
  if (changed.ipsec === undefined || !waited.reached) return encryptedResult(waited, wish, changed);
  // An agent follows first, and then looks whether it can.
  await sleep(LOOKS, undefined, { signal: context.signal }).catch(() => undefined);
  return chosenResult(await wait(step, last, context), wish, changed);
}

/** What is under way ends before another driver comes. */
async function untilSettled(step: Step, context: Context): Promise<void> {
  const { cluster, wish } = step;
  const snapshot = await cluster.snapshot();
  if (snapshot.mesh?.spec.encryption === 'none' || movesTo(snapshot, wish.encryption) === undefined) return;
  try {
    requireSettled(snapshot);
  } catch {
    context.err.write('a rotation is under way: waiting for its end first\n');
    await wait(step, { kind: 'rotated', generation: newest(snapshot) }, context);
  }
}

/** Of a cluster that is on its way to another driver: that it is there. Whoever began that. */
function goalOf(snapshot: Snapshot, { encryption: driver }: Wish): Goal {
  const records = selected(snapshot).map(({ record }) => record);
  const found = rotation({ records, wanted: snapshot.mesh?.spec.generation, driver });
  return found?.fromDriver !== undefined && found.fromDriver !== found.toDriver
    ? { kind: 'rotated', generation: found.to, driver }
    : { kind: 'encrypted' };
}

function wait({ cluster, flags, until }: Step, goal: Goal, context: Context): Promise<Waited> {
  const timeout = Math.max(0, until - performance.now());
  return waitFor(cluster, { goal, timeout, ableOnly: flags.allowPartial === true }, context);
}

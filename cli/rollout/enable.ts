/**
 * `sheath enable`: looks first, writes the resource, and waits. Strict comes last, when nobody sends in clear any more. Another driver than
 * the cluster has comes with the next generation, in one write: the rest is a rotation.
 */
import { type Straggler, unable } from '../../mesh/progress.ts';
import { rotation } from '../../mesh/rotation-progress.ts';
import type { Spec } from '../../operator/config/schema.ts';
import type { Context } from '../context.ts';
import { checkNodes, keepScope, requireClusterPrefixes } from './checks.ts';
import { RolloutCluster, type Snapshot, selected } from './cluster.ts';
import { confirm } from './confirm.ts';
import { movesTo, newest, requireSettled } from './generation.ts';
import type { Goal } from './goal.ts';
import { timeoutOf } from './options.ts';
import { notCounted, wayPast } from './pass-over.ts';
import { finish, type RolloutResult } from './result.ts';
import { leftOut, members } from './selection.ts';
import { type Waited, waitFor } from './wait.ts';
import { type EnableFlags, type Wish, wishOf } from './wish.ts';
import { changeSpec, difference } from './write.ts';

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

interface DryRun {
  readonly changed: RolloutResult['changed'];
  readonly cannot: readonly Straggler[];
  readonly left: readonly string[];
  readonly of: string;
}

function dryRun({ changed, cannot, left, of }: DryRun): RolloutResult {
  const what = Object.keys(changed).length === 0 ? 'nothing' : JSON.stringify(changed);
  const out = left.length === 0 ? '' : `, and leave out ${left.join(', ')}`;
  return { message: `would change ${what} for ${of}${out}; nothing was changed`, changed, waiting: cannot };
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
  const waited = await wait(step, { kind: wish.mode === 'strict' ? 'strict' : 'encrypted' }, context);
  return { ...outcome(waited, wish), message: encryptedMessage(waited, wish), changed };
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

function begun(goal: Goal, { encryption }: Wish): string {
  return goal.kind === 'rotated'
    ? `moving to ${encryption}, generation ${goal.generation}; the same command with --wait, or 'sheath status --cluster', tells how far it is`
    : `${encryption} is enabled; 'sheath enable --wait' tells when all is encrypted`;
}

function movedMessage({ reached, progress, snapshot }: Waited, goal: Goal, { encryption }: Wish): string {
  const { done, total, stragglers, rotation: found } = progress;
  const where = `${encryption}${goal.kind === 'rotated' ? `, generation ${goal.generation}` : ''}`;
  if (!reached)
    return `NOT yet moved to ${where}: ${done} of ${total} Nodes; it goes on in the cluster${wayPast(stragglers)}${notCounted(snapshot)}`;
  if (found?.partial === true)
    return `moved to ${where}: ${done} of ${total} Nodes; with the others they stay on ${found.from} (${found.fromDriver}), encrypted${notCounted(snapshot)}`;
  return `moved to ${where}: ${total} Nodes, the old keys are withdrawn${notCounted(snapshot)}`;
}

function encryptedMessage({ reached, progress: { done, total }, snapshot }: Waited, { mode }: Wish): string {
  const message = reached
    ? `encrypted: ${done} of ${total} Nodes${mode === 'strict' ? ', doors shut' : ''}`
    : `NOT all encrypted: ${done} of ${total} Nodes`;
  return message + notCounted(snapshot);
}

/** Also whom nobody waits for, because it cannot: by what its agent says now, of the algorithms that were just chosen too. */
function outcome({ reached, took, progress, snapshot }: Waited, { encryption }: Wish) {
  const named = new Set(progress.stragglers.map(({ node }) => node));
  const stuck = selected(snapshot)
    .flatMap((node) => unable(node, encryption) ?? [])
    .filter((straggler) => straggler.stuck && !named.has(straggler.node));
  return { reached, took, waiting: [...progress.stragglers, ...stuck] };
}

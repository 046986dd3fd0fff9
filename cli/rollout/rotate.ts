/** `sheath rotate`: one generation more, never two at once. */
import { KubeError } from '../../operator/kube/errors.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { RolloutCluster, type Snapshot } from './cluster.ts';
import { newest, underWay } from './generation.ts';
import { judge } from './goal.ts';
import { type RolloutFlags, timeoutOf } from './options.ts';
import { notCounted, passOver, wayPast } from './pass-over.ts';
import { finish, type RolloutResult } from './result.ts';
import { type Waited, waitFor } from './wait.ts';

export interface RotateFlags extends RolloutFlags {
  readonly passOver?: readonly string[];
}

/** @throws CliError, KubeError */
export async function rotate(flags: RotateFlags, context: Context): Promise<void> {
  const timeout = timeoutOf(flags);
  const cluster = await RolloutCluster.open(flags, { timeout, context });
  try {
    const until = performance.now() + timeout;
    const work = { cluster, flags, until };
    await finish((await goOn(work, context)) ?? (await rotateOnce(work, context)), flags, context);
  } finally {
    cluster.close();
  }
}

interface Work {
  readonly cluster: RolloutCluster;
  readonly flags: RotateFlags;
  /** By `performance.now()`. */
  readonly until: number;
}

/** Whom `--pass-over` names is what something under way waits for: that goes on, and nothing else is begun. Undefined: nothing was. */
async function goOn(work: Work, context: Context): Promise<RolloutResult | undefined> {
  const { cluster, flags } = work;
  if (flags.passOver === undefined) return undefined;
  const passed = await passOver(cluster, flags.passOver);
  const snapshot = await cluster.snapshot();
  if ((snapshot.mesh?.spec.encryption ?? 'none') === 'none')
    return {
      message: `encryption is off, so no keys are changed${notCounted(snapshot)}`,
      changed: passed,
      waiting: [],
    };
  const generation = newest(snapshot);
  const { stragglers } = judge(snapshot, { kind: 'rotated', generation }, { ableOnly: false });
  if (stragglers.length === 0) return undefined;
  if (flags.wait === true) return follow({ ...work, generation, changed: passed }, context);
  return {
    message: `the rotation to generation ${generation} goes on${notCounted(snapshot)}`,
    changed: passed,
    waiting: stragglers,
  };
}

async function rotateOnce(work: Work, context: Context): Promise<RolloutResult> {
  const generation = await begin(work, context);
  if (work.flags.wait === true) return follow({ ...work, generation, changed: { generation } }, context);
  return {
    message: `rotating to generation ${generation}; 'sheath status --cluster' tells how far it is`,
    changed: { generation },
    waiting: [],
  };
}

/** The generation that was begun. Whoever comes second waits for the first, or is told to. */
async function begin(work: Work, context: Context): Promise<number> {
  const { cluster, flags, until } = work;
  for (;;) {
    const snapshot = await cluster.snapshot();
    const mesh = requireEnabled(snapshot);
    const now = newest(snapshot);
    const under = judge(snapshot, { kind: 'rotated', generation: now }, { ableOnly: false });
    if (under.stragglers.length > 0) {
      if (flags.wait !== true) throw underWay(under.stragglers[0]);
      context.err.write('a rotation is under way: waiting for its end first\n');
      const waited = await wait(work, now, context);
      if (!waited.reached) throw underWay(waited.progress.stragglers[0]);
      continue;
    }
    try {
      await cluster.change({ generation: now + 1 }, mesh);
      return now + 1;
    } catch (error) {
      // Somebody was faster: look again, it may have been a rotation.
      if (!(error instanceof KubeError && error.code === 'CONFLICT') || performance.now() >= until)
        throw error;
    }
  }
}

function requireEnabled({ mesh }: Snapshot) {
  if (mesh !== undefined && (mesh.spec.encryption ?? 'none') !== 'none') return mesh;
  throw new CliError("encryption is off, so there are no keys to change: see 'sheath enable --help'", {
    code: 'NOT_ENABLED',
    exitCode: EXIT.wrong,
  });
}

function wait({ cluster, until }: Work, generation: number, context: Context): Promise<Waited> {
  const goal = { kind: 'rotated', generation } as const;
  return waitFor(
    cluster,
    { goal, timeout: Math.max(0, until - performance.now()), ableOnly: false },
    context,
  );
}

async function follow(
  work: Work & Pick<RolloutResult, 'changed'> & { readonly generation: number },
  context: Context,
): Promise<RolloutResult> {
  const { generation, changed } = work;
  const { reached, took, progress, snapshot } = await wait(work, generation, context);
  const message = reached
    ? `rotated to generation ${generation}: ${progress.total} Nodes, the old keys are withdrawn`
    : `NOT yet rotated to generation ${generation}: ${progress.done} of ${progress.total} Nodes; it goes on in the cluster${wayPast(progress.stragglers)}`;
  return { message: message + notCounted(snapshot), changed, reached, took, waiting: progress.stragglers };
}

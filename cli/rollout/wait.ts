/** Waits until a goal is reached, and shows meanwhile who is not there yet. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeError } from '../../operator/kube/errors.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { explain } from '../explain.ts';
import type { RolloutCluster, Snapshot } from './cluster.ts';
import { type Goal, type JudgeOptions, judge, type Progress } from './goal.ts';
import { Screen } from './screen.ts';

export interface WaitOptions extends JudgeOptions {
  readonly goal: Goal;
  /** Milliseconds. */
  readonly timeout: number;
}

const PERIOD = 500;
/** Milliseconds for which nobody is left but who needs a person: that is waited for no longer. */
const STUCK = 15_000;
/** Milliseconds that the last look may take, when the time is over. */
const LAST_LOOK = 1000;

export interface Waited {
  readonly reached: boolean;
  readonly progress: Progress;
  readonly snapshot: Snapshot;
  /** Milliseconds. */
  readonly took: number;
}

/** An API server that is away for a while is waited for too. @throws CliError `INTERRUPTED` when the signal aborts: nothing is undone then */
export async function waitFor(
  cluster: RolloutCluster,
  options: WaitOptions,
  context: Context,
): Promise<Waited> {
  // A clock that is set while we wait must not end the waiting.
  const startedAt = performance.now();
  cluster.within(options.timeout + LAST_LOOK);
  const screen = new Screen(context, options.goal);
  let stuckSince: number | undefined;
  let last: { snapshot: Snapshot; progress: Progress } | undefined;
  try {
    for (;;) {
      requireGoingOn(context, options.goal);
      last = (await lookOnce(cluster, options, screen)) ?? last;
      const took = performance.now() - startedAt;
      if (last !== undefined && last.progress.stragglers.length === 0)
        return { reached: true, ...last, took };
      stuckSince = isStuck(last?.progress) ? (stuckSince ?? took) : undefined;
      if (took >= options.timeout || took - (stuckSince ?? took) >= STUCK) {
        if (last === undefined)
          throw new CliError('the API server does not answer', {
            code: 'API_UNREACHABLE',
            exitCode: EXIT.unreachable,
          });
        return { reached: false, ...last, took };
      }
      await sleep(PERIOD, undefined, { signal: context.signal }).catch(() => undefined);
    }
  } finally {
    screen.end();
  }
}

/** Waiting helps none of them. */
function isStuck(progress: Progress | undefined): boolean {
  return progress?.stragglers.every(({ stuck }) => stuck) === true;
}

async function lookOnce(
  cluster: RolloutCluster,
  options: WaitOptions,
  screen: Screen,
): Promise<{ snapshot: Snapshot; progress: Progress } | undefined> {
  try {
    const snapshot = await cluster.snapshot();
    const progress = judge(snapshot, options.goal, options);
    screen.show(progress, cluster.trouble?.message);
    return { snapshot, progress };
  } catch (error) {
    const away = (error instanceof KubeError || error instanceof CliError) && explain(error);
    if (away === false || away.exitCode !== EXIT.unreachable) throw error;
    screen.trouble(error.message);
    return undefined;
  }
}

function requireGoingOn({ signal }: Context, goal: Goal): void {
  if (!signal.aborted) return;
  throw new CliError(
    goal.kind === 'rotated' && goal.driver === undefined
      ? `stopped waiting; the rotation to generation ${goal.generation} goes on in the cluster: see 'sheath status --cluster'; 'sheath rotate' again would be one more`
      : 'stopped waiting; what was begun goes on in the cluster: see kubectl get encryptionmesh, or the same command again',
    { code: 'INTERRUPTED', exitCode: EXIT.wrong },
  );
}

/** `sheath disable`: the resource says none; the agents do the rest in the order that loses nothing. */
import type { Context } from '../context.ts';
import { RolloutCluster, type Snapshot } from './cluster.ts';
import { confirm, type Question } from './confirm.ts';
import { judge } from './goal.ts';
import { type RolloutFlags, timeoutOf } from './options.ts';
import { notCounted, wayPast } from './pass-over.ts';
import { finish, type RolloutResult } from './result.ts';
import { waitFor } from './wait.ts';
import { changeSpec } from './write.ts';

/** @throws CliError, KubeError */
export async function disable(flags: RolloutFlags, context: Context): Promise<void> {
  const timeout = timeoutOf(flags);
  const cluster = await RolloutCluster.open(flags, { timeout, context });
  try {
    const snapshot = await cluster.snapshot();
    if (flags.yes !== true && snapshot.mesh?.spec.encryption !== 'none')
      await confirm(questions(snapshot), context);
    await finish(
      await switchOff({ cluster, snapshot, timeout, wait: flags.wait === true }, context),
      flags,
      context,
    );
  } finally {
    cluster.close();
  }
}

export interface SwitchOff {
  readonly cluster: RolloutCluster;
  readonly snapshot: Snapshot;
  /** Milliseconds. */
  readonly timeout: number;
  readonly wait: boolean;
}

export async function switchOff(
  { cluster, snapshot, timeout, wait }: SwitchOff,
  context: Context,
): Promise<RolloutResult> {
  const goal = { kind: 'off' } as const;
  // A person may have been asked meanwhile.
  cluster.within(timeout);
  const { mesh } = snapshot;
  const strict = mesh?.spec.mode === 'strict';
  // Who enables it again shall not find the doors shut before anything is encrypted.
  const wish = { encryption: 'none' as const, ...(strict ? { mode: 'permissive' as const } : {}) };
  const changed = mesh === undefined ? {} : await changeSpec(cluster, snapshot, wish);
  if (!wait) {
    const { stragglers } = judge(await cluster.snapshot(), goal, { ableOnly: false });
    return {
      message: "encryption is switched off; 'sheath disable --wait' tells when every node is as it was",
      changed,
      waiting: stragglers,
    };
  }
  const waited = await waitFor(cluster, { goal, timeout, ableOnly: false }, context);
  const { reached, took, progress } = waited;
  const message = reached
    ? `off: no Node of ${progress.total} holds keys`
    : `NOT all off: ${progress.total - progress.done} of ${progress.total} Nodes still take part${wayPast(progress.stragglers)}`;
  return {
    message: message + notCounted(waited.snapshot),
    changed,
    reached,
    took,
    waiting: progress.stragglers,
  };
}

function questions({ mesh, nodes }: Snapshot): readonly Question[] {
  const holders = nodes.filter(({ record }) => record.generations.length > 0).length;
  const first = { text: `What ${holders} Nodes exchange will cross the wire in clear.`, answer: 'disable' };
  if (mesh?.spec.mode !== 'strict') return [first];
  return [
    first,
    { text: 'This cluster is strict: somebody decided that nothing may be in clear.', answer: 'in clear' },
  ];
}

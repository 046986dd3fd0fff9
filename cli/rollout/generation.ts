/** The generation that a cluster is on its way to, and what moves it on. Pure. */
import type { Driver, Straggler } from '../../mesh/progress.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Snapshot } from './cluster.ts';
import { judge } from './goal.ts';

/** What is wanted, or held already where the resource was made anew: by several, for what is written here is never lowered again. */
export function newest({ mesh, nodes }: Snapshot): number {
  const holders = nodes.filter(({ record }) => record.generations.length > 0);
  const held = holders.flatMap(({ record }) => record.generations.map(({ number }) => number));
  const counts = Map.groupBy(held, (number) => number);
  const most = Math.max(0, ...Array.from(counts.values(), (times) => times.length));
  const common = [...counts].filter(([, times]) => times.length === most).map(([number]) => number);
  if (most === 1 && holders.length > 1) return mesh?.spec.generation ?? 1;
  return Math.max(mesh?.spec.generation ?? 1, ...common);
}

/**
 * The generation that is to be written together with this driver, because it is another than the cluster has; undefined: there is none to
 * move. Also where encryption is being switched off: who still holds keys of the other driver never changes theirs.
 */
export function movesTo(snapshot: Snapshot, driver: Driver): number | undefined {
  const { encryption = 'none' } = snapshot.mesh?.spec ?? {};
  const moves =
    encryption === 'none'
      ? snapshot.nodes.some(({ record }) => record.generations.some((held) => held.driver !== driver))
      : encryption !== driver;
  return moves ? newest(snapshot) + 1 : undefined;
}

/** @throws CliError `ROTATION_UNDER_WAY`, with who holds it up */
export function requireSettled(snapshot: Snapshot): void {
  if ((snapshot.mesh?.spec.encryption ?? 'none') === 'none') return;
  const { stragglers } = judge(
    snapshot,
    { kind: 'rotated', generation: newest(snapshot) },
    { ableOnly: false },
  );
  if (stragglers.length > 0) throw underWay(stragglers[0]);
}

export function underWay(first: Straggler | undefined): CliError {
  const who = first === undefined ? '' : `: ${first.node} ${first.reason}`;
  return new CliError(
    `a rotation is still under way${who}; --wait begins after it, and --pass-over NODE goes on without one that is dead`,
    { code: 'ROTATION_UNDER_WAY', exitCode: EXIT.wrong },
  );
}

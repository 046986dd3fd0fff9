/** How `sheath enable` ended, in words. Pure. */
import { type Straggler, unable } from '../../mesh/progress.ts';
import { selected } from './cluster.ts';
import type { Goal } from './goal.ts';
import { notCounted, wayPast } from './pass-over.ts';
import type { RolloutResult } from './result.ts';
import type { Waited } from './wait.ts';
import type { Wish } from './wish.ts';

interface DryRun {
  readonly changed: RolloutResult['changed'];
  readonly cannot: readonly Straggler[];
  readonly left: readonly string[];
  readonly of: string;
}

export function dryRun({ changed, cannot, left, of }: DryRun): RolloutResult {
  const what = Object.keys(changed).length === 0 ? 'nothing' : JSON.stringify(changed);
  const out = left.length === 0 ? '' : `, and leave out ${left.join(', ')}`;
  return { message: `would change ${what} for ${of}${out}; nothing was changed`, changed, waiting: cannot };
}

export function begun(goal: Goal, { encryption }: Wish): string {
  return goal.kind === 'rotated'
    ? `moving to ${encryption}, generation ${goal.generation}; the same command with --wait, or 'sheath status --cluster', tells how far it is`
    : `${encryption} is enabled; 'sheath enable --wait' tells when all is encrypted`;
}

export function movedMessage(
  { reached, progress, snapshot }: Waited,
  goal: Goal,
  { encryption }: Wish,
): string {
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

export function encryptedResult(
  waited: Waited,
  wish: Wish,
  changed: RolloutResult['changed'],
): RolloutResult {
  return { ...outcome(waited, wish), message: encryptedMessage(waited, wish), changed };
}

/** Of settings that were chosen just now: who cannot follow them keeps what it has. */
export function chosenResult(waited: Waited, wish: Wish, changed: RolloutResult['changed']): RolloutResult {
  const result = encryptedResult(waited, wish, changed);
  const cannot = result.waiting.filter(({ stuck }) => stuck).length;
  if (cannot === 0) return result;
  const { total } = waited.progress;
  const message = `NOT all as asked: ${cannot} of ${total} Nodes cannot, and go on with what they have; choose what all can`;
  return { ...result, reached: false, message: message + notCounted(waited.snapshot) };
}

/** Also whom nobody waits for, because it cannot: by what its agent says now, of the algorithms that were just chosen too. */
export function outcome({ reached, took, progress, snapshot }: Waited, { encryption }: Wish) {
  const named = new Set(progress.stragglers.map(({ node }) => node));
  const stuck = selected(snapshot)
    .flatMap((node) => unable(node, encryption) ?? [])
    .filter((straggler) => straggler.stuck && !named.has(straggler.node));
  return { reached, took, waiting: [...progress.stragglers, ...stuck] };
}

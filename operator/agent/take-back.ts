/** Takes everything of ours back from the kernel: door, routes, rules, devices, sysctls. */
import type { MeshPlan } from '../../mesh/types.ts';
import type { Change, Dataplane, DataplaneError } from '../../tunnels/dataplane.ts';
import { type Clock, pause } from '../clock.ts';
import { resolveConfig } from '../config/resolve.ts';

export interface TakenBack {
  readonly changes: readonly Change[];
  readonly errors: readonly DataplaneError[];
  /** Whether nothing of ours is left. */
  readonly done: boolean;
}

/** The plan of a node that takes no part: nothing of ours is wanted. What is ours, the kernel's own marks tell. */
function nothing(): MeshPlan {
  const { mesh } = resolveConfig([]);
  return {
    self: '',
    encryption: 'none',
    mode: 'permissive',
    scope: mesh.scope,
    devices: [],
    peers: [],
    refused: [],
    contested: [],
    routing: mesh.routing,
    ownPrefixes: [],
    ownAddresses: [],
    exempt: [],
    clusterPrefixes: [],
    nodePrefixes: [],
  };
}

export interface TakeBackOptions {
  readonly clock: Clock;
  /** Aborted: what is not silent yet is left. */
  readonly signal: AbortSignal;
  readonly onWait?: () => void;
}

/** Waits until the last device is silent, so that nothing is lost while the others learn that this node is gone. */
export async function takeBack(
  dataplane: Dataplane,
  { clock, signal, onWait = () => {} }: TakeBackOptions,
): Promise<TakenBack> {
  const changes: Change[] = [];
  let told = false;
  for (;;) {
    const report = await dataplane.set({
      plan: nothing(),
      routes: { routes: [], rules: [] },
      privateKey: () => {
        throw new Error('a node without a device has no use for a key');
      },
    });
    changes.push(...report.changes);
    const { errors, pending } = report;
    if (pending.length === 0) return { changes, errors, done: errors.length === 0 };
    if (signal.aborted) return { changes, errors, done: false };
    if (!told) onWait();
    told = true;
    await pause(clock, Math.max(...pending.map(({ retryAfter }) => retryAfter)), signal);
  }
}

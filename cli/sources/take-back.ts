/** Takes everything of ours back from this machine's kernel, without an agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MeshPlan } from '../../mesh/types.ts';
import { kernelFolder, wireguardGoFolder } from '../../operator/agent/folders.ts';
import { resolveConfig } from '../../operator/config/resolve.ts';
import { createDataplane } from '../../tunnels/create.ts';
import type { Change, Dataplane, DataplaneError } from '../../tunnels/dataplane.ts';

export interface TakenBack {
  readonly changes: readonly Change[];
  readonly errors: readonly DataplaneError[];
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

/** Waits until the last device is silent, so that nothing is lost while the others learn that this node is gone. */
export async function takeBack(options: {
  /** Of the agent: what it found, to put it back, and where wireguard-go's sockets are. */
  readonly stateDir: string;
  readonly runDir: string;
  readonly signal: AbortSignal;
  readonly onWait: () => void;
}): Promise<TakenBack> {
  const socketDir = wireguardGoFolder(options.runDir);
  const dataplane = await createDataplane({
    stateDir: kernelFolder(options.stateDir),
    userspace: 'auto',
    ...(socketDir === undefined ? {} : { socketDir }),
  });
  try {
    return await untilDone(dataplane, options);
  } finally {
    await dataplane.close();
  }
}

async function untilDone(
  dataplane: Dataplane,
  { signal, onWait }: { readonly signal: AbortSignal; readonly onWait: () => void },
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
    if (report.pending.length === 0) return { changes, errors: report.errors };
    if (!told) onWait();
    told = true;
    await sleep(Math.max(...report.pending.map(({ retryAfter }) => retryAfter)), undefined, { signal });
  }
}

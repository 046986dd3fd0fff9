/** `sheath agent`: keeps this node's part of the mesh until the signal aborts, and leaves the tunnels up. */

import type { Dataplane } from '../../tunnels/dataplane.ts';
import type { Layer } from '../config/load.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface AgentOptions {
  /** The name of this machine's Node object. */
  readonly nodeName: string;
  /** `loadLayers({flags, environment, file})`, best first. */
  readonly layers: readonly Layer[];
  /** Path of a kubeconfig; absent: `KUBECONFIG`, `~/.kube/config`, then the pod's service account. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Keys and records: `/var/lib/sheath`. */
  readonly stateDir: string;
  /** The socket `agent.sock`: `/run/sheath`. */
  readonly runDir: string;
  /** `ADDRESS:PORT` of `/healthz`, `/readyz`, `/metrics`, `/status`; absent: none. */
  readonly http?: string;
  readonly logLevel: LogLevel;
  /** Version of the program. */
  readonly version: string;
  /** What stands in for the kernel, in tests. */
  readonly dataplane?: Dataplane;
}

/**
 * Resolves when the signal aborted and everything was closed.
 * @throws OperatorError with the program's exit code, when it cannot start.
 */
export async function runAgent(_options: AgentOptions, _signal: AbortSignal): Promise<void> {
  throw new Error('not yet');
}

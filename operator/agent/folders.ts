/** Where the agent keeps what outlives it; `sheath cleanup` looks in the same places. */
import { join } from 'node:path';
import { OperatorError } from '../errors.ts';
import { makeFolder } from '../files.ts';

const DEFAULT_RUN_DIR = '/run/sheath';

export function keysFolder(stateDir: string): string {
  return join(stateDir, 'keys');
}

/** What was before us in the kernel, to put it back. */
export function kernelFolder(stateDir: string): string {
  return join(stateDir, 'kernel');
}

/**
 * Where wireguard-go puts its sockets; undefined: where wg(8) finds them. Agents in namespaces of one machine share that folder,
 * so that one with a run directory of its own has them there.
 */
export function wireguardGoFolder(runDir: string): string | undefined {
  return runDir === DEFAULT_RUN_DIR ? undefined : join(runDir, 'wireguard');
}

/** @throws OperatorError `STATE_DIR_UNREADABLE` */
export async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await makeFolder(stateDir, 0o700);
    await makeFolder(kernelFolder(stateDir), 0o700);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OperatorError(
      'STATE_DIR_UNREADABLE',
      `cannot use the state folder ${stateDir}: ${why}; run as root, or name another --state-dir`,
      { cause },
    );
  }
}

/** Of our own charon: its settings and its socket. */
export function charonFolder(runDir: string): string {
  return join(runDir, 'ipsec');
}

/** The controller of a lab: one process in the machine's own namespace. The mesh does not need it; the resource's status does. */
import { join } from 'node:path';
import { spawnLogged } from '../processes.ts';
import type { Lab } from './folder.ts';
import { endPid, livingPid, recordPid } from './pids.ts';

/** Starts it unless it runs. Does not wait for it. */
export async function startController(lab: Lab): Promise<void> {
  if ((await controllerPid(lab)) !== undefined) return;
  const log = join(lab.folder, 'logs', 'controller.log');
  const identity = `lab-${lab.name}`;
  const argv = ['controller', '--kubeconfig', lab.kubeconfig, '--http', 'none', '--identity', identity];
  const child = spawnLogged([...lab.spec.program, ...argv], log, true);
  child.unref();
  if (child.pid !== undefined) await recordPid(pidFile(lab), child.pid);
}

/** Resolves when it is gone. */
export function stopController(lab: Lab, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  return endPid(pidFile(lab), signal);
}

export function controllerPid(lab: Lab): Promise<number | undefined> {
  return livingPid(pidFile(lab));
}

function pidFile(lab: Lab): string {
  return join(lab.folder, 'controller.pid');
}

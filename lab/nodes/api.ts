/**
 * The API of a lab: a process in the machine's own namespace that listens both there and on the underlay. It is either the
 * embedded server, or a relay to the real one of `--kubeconfig`.
 */
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../api/server.ts';
import { apiTarget, send } from '../api-client.ts';
import { LabError } from '../errors.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import { listenIn } from '../namespace-sockets.ts';
import { spawnLogged } from '../processes.ts';
import { relay } from '../relay.ts';
import type { Lab } from './folder.ts';
import { copyKubeconfig, redirectKubeconfig } from './kubeconfigs.ts';
import { lastWords } from './last-words.ts';
import { endPid, livingPid, recordPid } from './pids.ts';
import { API_PORT } from './topology.ts';

const READY_WITHIN_MS = 60_000;

/** Starts the process and resolves when the API answers. Throws `LAB_API_SILENT`. */
export async function startApi(lab: Lab): Promise<void> {
  const [...argv] = lab.spec.program;
  const log = join(lab.folder, 'logs', 'api.log');
  const child = spawnLogged([...argv, 'lab', 'serve', '--name', lab.name], log, true);
  child.unref();
  if (child.pid !== undefined) await recordPid(pidFile(lab), child.pid);
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!(await answers(lab))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      const said = lastWords(await readFile(log, 'utf8'));
      throw new LabError(
        'LAB_API_SILENT',
        `the API of the lab does not answer: ${said || `look into ${log}`}`,
      );
    }
    await sleep(50);
  }
}

export function stopApi(lab: Lab): Promise<void> {
  return endPid(pidFile(lab));
}

/** While it is stopped by SIGSTOP, connections stay and nothing comes: what everybody knows grows old. */
export function apiPid(lab: Lab): Promise<number | undefined> {
  return livingPid(pidFile(lab));
}

/** The process that `startApi` starts. */
export async function serveApi(lab: Lab, signal: AbortSignal): Promise<void> {
  const { wire, wireAddresses } = lab.topology;
  const [address = ''] = wireAddresses;
  const host = `${isIPv6(address) ? `[${address}]` : address}:${API_PORT}`;
  if (lab.spec.kubeconfig === undefined) {
    const server = new ApiServer();
    for (const one of wireAddresses) server.serve(await listenIn(wire, one, API_PORT));
    const url = await server.listen();
    await writeKubeconfig(lab.nodeKubeconfig, { server: `http://${host}` });
    await writeKubeconfig(lab.kubeconfig, { server: url });
    await aborted(signal);
    await server.close();
    return;
  }
  const { url } = await apiTarget(lab.spec.kubeconfig);
  const to = { address: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  for (const one of wireAddresses) await relay({ netns: wire, address: one, port: API_PORT }, to, signal);
  await redirectKubeconfig(lab.spec.kubeconfig, lab.nodeKubeconfig, host);
  await copyKubeconfig(lab.spec.kubeconfig, lab.kubeconfig);
  await aborted(signal);
}

async function answers(lab: Lab): Promise<boolean> {
  try {
    const target = await apiTarget(lab.kubeconfig);
    return (await send(target, { path: '/readyz', signal: AbortSignal.timeout(5000) })).status === 200;
  } catch {
    return false;
  }
}

function pidFile(lab: Lab): string {
  return join(lab.folder, 'api.pid');
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => signal.addEventListener('abort', () => done(), { once: true }));
}

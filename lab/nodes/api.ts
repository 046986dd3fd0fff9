/**
 * The API of a lab: a process in the machine's own namespace that listens both there and on the underlay. It is either the
 * embedded server, or a relay to the real one of `--kubeconfig`.
 */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { ApiServer } from '../api/server.ts';
import { apiTarget, send } from '../api-client.ts';
import { LabError } from '../errors.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import { listenIn } from '../namespace-sockets.ts';
import { spawnLogged } from '../processes.ts';
import { relay } from '../relay.ts';
import type { Lab } from './folder.ts';
import { endPid, recordPid } from './pids.ts';
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
      const said = (await readFile(log, 'utf8')).trim().split('\n').at(-1);
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

/** The process that `startApi` starts. */
export async function serveApi(lab: Lab, signal: AbortSignal): Promise<void> {
  const { wire, wireAddresses } = lab.topology;
  const [address = ''] = wireAddresses;
  if (lab.spec.kubeconfig === undefined) {
    const server = new ApiServer();
    for (const one of wireAddresses) server.serve(await listenIn(wire, one, API_PORT));
    const url = await server.listen();
    await writeKubeconfig(lab.nodeKubeconfig, { server: `http://${address}:${API_PORT}` });
    await writeKubeconfig(lab.kubeconfig, { server: url });
    await aborted(signal);
    await server.close();
    return;
  }
  const { url } = await apiTarget(lab.spec.kubeconfig);
  const to = { address: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  for (const one of wireAddresses) await relay({ netns: wire, address: one, port: API_PORT }, to, signal);
  await redirect(lab.spec.kubeconfig, lab.nodeKubeconfig, `${address}:${API_PORT}`);
  await copyFile(lab.spec.kubeconfig, lab.kubeconfig);
  await aborted(signal);
}

/** The same kubeconfig with another host; its certificates are checked under a name they have. */
async function redirect(from: string, to: string, host: string): Promise<void> {
  const config = parse(await readFile(from, 'utf8'));
  const context = config.contexts.find((one: Named) => one.name === config['current-context'])?.context;
  const cluster = config.clusters.find((one: Named) => one.name === context?.cluster)?.cluster;
  const url = new URL(cluster.server);
  // Every API server has this name; an address cannot be asked for (RFC 6066).
  const name = isIP(url.hostname) || url.hostname.startsWith('[') ? 'kubernetes.default.svc' : url.hostname;
  if (url.protocol === 'https:') cluster['tls-server-name'] ??= name;
  cluster.server = `${url.protocol}//${host}`;
  for (const holder of [
    ...config.clusters.map((one: { cluster: object }) => one.cluster),
    ...config.users.map((one: { user: object }) => one.user),
  ]) {
    for (const key of ['certificate-authority', 'client-certificate', 'client-key']) {
      if (holder[key]) holder[key] = resolve(dirname(from), holder[key]);
    }
  }
  await writeFile(to, stringify(config), { mode: 0o600 });
}

interface Named {
  readonly name: string;
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

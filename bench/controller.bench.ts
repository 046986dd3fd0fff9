/** What the controller costs with 1000 and 5000 nodes: memory, CPU, and how often it writes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiTarget, apiTarget, call } from '../lab/api-client.ts';
import { startKubeApiserver } from '../test/support/kube-apiserver.ts';
import { createNodes, heartbeat } from './api.ts';
import { annotationsOf, nodeName, SELF } from './cluster.ts';
import { ControllerProcess } from './controller-process.ts';
import { installMesh, untilMesh } from './mesh-resource.ts';
import { row } from './rows.ts';

const COUNTS = [1000, 5000];
const MINUTE = 60_000;
/** Seconds that nodes publish something new, fifty a second: as in a rotation. */
const STORM = 40;
const WRITES = 50;

const api = await startKubeApiserver({ patience: 300_000 });
try {
  const target = await apiTarget(api.kubeconfigPath);
  await installMesh(target, { encryption: 'wireguard', generation: 1 });
  let first = SELF + 1;
  for (const count of COUNTS) {
    await createNodes(target, first, SELF + 1 + count);
    first = SELF + 1 + count;
    await measure(target, count);
  }
} finally {
  await api.stop();
}
process.exit();

async function measure(target: ApiTarget, count: number): Promise<void> {
  const where = `${count} nodes`;
  const controller = new ControllerProcess(api.kubeconfigPath);
  const began = performance.now();
  await untilMesh(target, where, ({ status }) => status?.nodes?.summary === `${count}/${count}`);
  const value = (performance.now() - began) / 1000;
  row({ what: 'controller: start to status written', where, value, unit: 's' });
  await sleep(30_000);
  row({ what: 'controller: VmRSS at rest', where, value: controller.memory(), unit: 'MiB' });
  await idle(target, controller, count);
  await storm(target, controller, count);
  await sleep(30_000);
  row({ what: 'controller: VmRSS after it all', where, value: controller.memory(), unit: 'MiB' });
  await controller.stop();
}

/** A minute in which kubelets say that they are there, each every five minutes. */
async function idle(target: ApiTarget, controller: ControllerProcess, count: number): Promise<void> {
  const where = `${count} nodes`;
  const [cpu, writes] = [controller.cpu(), await controller.writes()];
  await paced(MINUTE, count / 300, (i) => heartbeat(target, SELF + 1 + (i % count)));
  row({
    what: 'controller: CPU of a minute of heartbeats',
    where,
    value: controller.cpu() - cpu,
    unit: 'CPU s',
  });
  const written = (await controller.writes()) - writes;
  row({ what: 'controller: writes in it', where, value: written, unit: 'writes', mark: { atMost: 0 } });
}

/** Every node says something new in turn, so that the status changes all the time. */
async function storm(target: ApiTarget, controller: ControllerProcess, count: number): Promise<void> {
  const where = `${count} nodes`;
  const [cpu, writes] = [controller.cpu(), await controller.writes()];
  await paced(STORM * 1000, WRITES, (i) => toggle(target, SELF + 1 + (i % count), i < count ? '0,1' : '1'));
  const used = controller.cpu() - cpu;
  await sleep(1000);
  const written = (await controller.writes()) - writes;
  row({
    what: `controller: CPU of ${STORM} s with ${WRITES} changes each`,
    where,
    value: used,
    unit: 'CPU s',
  });
  row({
    what: 'controller: writes in it',
    where,
    value: written,
    unit: 'writes',
    mark: { atMost: STORM + 1 },
  });
}

function toggle(target: ApiTarget, i: number, sending: string): Promise<unknown> {
  return call(target, {
    method: 'PATCH',
    path: `/api/v1/nodes/${nodeName(i)}`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { annotations: { ...annotationsOf(i), 'sheath.dev/sending': sending } } },
  });
}

/** So many a second, for so many milliseconds. */
async function paced(ms: number, rate: number, run: (i: number) => Promise<unknown>): Promise<void> {
  const began = performance.now();
  const under: Promise<unknown>[] = [];
  for (let i = 0; ; i += 1) {
    const due = began + (i / rate) * 1000;
    if (due >= began + ms) break;
    await sleep(Math.max(0, due - performance.now()));
    under.push(run(i));
    if (under.length >= 32) await under.shift();
  }
  await Promise.all(under);
}

// kernel bench
/** An agent at rest in a mesh of 1000: a minute in which nothing happens, and one in which every kubelet says it lives. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiTarget, apiTarget, open, send } from '../lab/api-client.ts';
import { startKubeApiserver } from '../test/support/kube-apiserver.ts';
import { AgentProcess } from './agent-process.ts';
import { createNodes, heartbeat } from './api.ts';
import { nodeName, SELF } from './cluster.ts';
import { CountingProxy } from './counting-proxy.ts';
import { addUnderlay } from './machine.ts';
import { NetlinkTap } from './netlink-tap.ts';
import { row } from './rows.ts';

const COUNT = 1000;
const MINUTE = 60_000;
/** Each kubelet writes every five minutes where nothing changed. */
const HEARTBEAT_EVERY = (5 * MINUTE) / COUNT;
const where = `${COUNT} nodes`;

addUnderlay();
const api = await startKubeApiserver({ patience: 300_000 });
const target = await apiTarget(api.kubeconfigPath);
await createNodes(target, SELF, SELF + 1 + COUNT);
const stop = new AbortController();
const proxy = await CountingProxy.open(api.kubeconfigPath, stop.signal);
try {
  const agent = new AgentProcess(proxy.kubeconfig);
  await agent.untilPeers(COUNT);
  await sleep(5000);
  const atStart = proxy.bytes;
  // Nobody answers: what is tried again and again gets rarer.
  await sleep(2 * MINUTE);
  await idleMinutes(agent);
  await busyMinute(agent, atStart);
  await agent.stop();
} finally {
  stop.abort();
  await api.stop();
}
process.exit();

/** Two minutes: what is heard costs whoever says it, so CPU is looked at while nobody listens. */
async function idleMinutes(agent: AgentProcess): Promise<void> {
  const cpu = agent.cpu();
  await sleep(MINUTE);
  row({ what: 'idle minute: CPU', where, value: agent.cpu() - cpu, unit: 'CPU s', mark: { atMost: 0.3 } });
  const tap = await NetlinkTap.open();
  const version = await resourceVersion(target);
  await sleep(MINUTE);
  row({
    what: 'idle minute: kernel writes',
    where,
    value: tap.writes(),
    unit: 'writes',
    mark: { atMost: 0 },
  });
  const written = version === (await resourceVersion(target)) ? 0 : 1;
  row({
    what: 'idle minute: writes to its Node',
    where,
    value: written,
    unit: 'writes',
    mark: { atMost: 0 },
  });
  await tap.close();
}

/** The bytes the agent takes, against those of a full list and watch, compressed where the server does. */
async function busyMinute(agent: AgentProcess, atStart: number): Promise<void> {
  const reference = await CountingProxy.open(api.kubeconfigPath, stop.signal);
  const whole = await apiTarget(reference.kubeconfig);
  const list = await send(whole, { path: '/api/v1/nodes', headers: { 'accept-encoding': 'gzip' } });
  const fullList = reference.bytes;
  const watch = await open(whole, {
    path: `/api/v1/nodes?watch=true&resourceVersion=${await listVersion(target)}`,
    headers: { 'accept-encoding': 'gzip' },
    signal: stop.signal,
  });
  watch.on('error', () => undefined).resume();
  const before = { ours: proxy.bytes, full: reference.bytes, cpu: agent.cpu() };
  const beats = Array.from({ length: MINUTE / HEARTBEAT_EVERY }, (_, index) => index);
  for (const index of beats) {
    const began = performance.now();
    await heartbeat(target, SELF + 1 + (index % COUNT));
    await sleep(Math.max(0, HEARTBEAT_EVERY - (performance.now() - began)));
  }
  await sleep(1000);
  const ours = proxy.bytes - before.ours;
  const full = reference.bytes - before.full;
  if (list.status !== 200 || full === 0) throw new Error('the reference saw nothing');
  bytes('start', atStart, fullList);
  bytes('a minute', ours, full);
  row({ what: 'a minute of heartbeats: CPU', where, value: agent.cpu() - before.cpu, unit: 'CPU s' });
}

function bytes(when: string, ours: number, full: number): void {
  row({ what: `API bytes, ${when}: ours`, where, value: ours / 1024, unit: 'KiB' });
  row({ what: `API bytes, ${when}: full Nodes`, where, value: full / 1024, unit: 'KiB' });
  row({
    what: `API bytes, ${when}: ours : full`,
    where,
    value: ours / full,
    unit: 'x',
    mark: { atMost: 0.333 },
  });
}

async function resourceVersion(at: ApiTarget): Promise<string> {
  const { bytes: body } = await send(at, { path: `/api/v1/nodes/${nodeName(SELF)}` });
  return (JSON.parse(body.toString()) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}

async function listVersion(at: ApiTarget): Promise<string> {
  const { bytes: body } = await send(at, { path: '/api/v1/nodes?limit=1' });
  return (JSON.parse(body.toString()) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}

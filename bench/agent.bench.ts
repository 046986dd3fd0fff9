// kernel bench
/** A real agent before a real API server: its start, one node that joins, what it holds in memory. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiTarget } from '../lab/api-client.ts';
import { startKubeApiserver } from '../test/support/kube-apiserver.ts';
import { AgentProcess, restingMemory } from './agent-process.ts';
import { createNode, createNodes } from './api.ts';
import { nodeName, publicKeyOf, SELF } from './cluster.ts';
import { addUnderlay, clean } from './machine.ts';
import { NetlinkTap } from './netlink-tap.ts';
import { median, row } from './rows.ts';

const RAW_LIST = path.join(import.meta.dirname, 'raw-list.ts');
const JOINS = 7;
/** What the field's agents were measured at, here, the same way: Felix 3.5 to 5.1 s and 4.3 CPU s, flannel 5.3 s; Felix 31 ms, flannel 21 ms. */
const FIELD = { start: 3500, cpu: 4.3, join: 21 };

addUnderlay();
const api = await startKubeApiserver({ patience: 300_000 });
const target = await apiTarget(api.kubeconfigPath);
try {
  let nodes = SELF;
  for (const count of [100, 500, 1000]) {
    await createNodes(target, nodes, SELF + 1 + count);
    nodes = SELF + 1 + count;
    await sleep(3000);
    await starts(count);
    const agent = new AgentProcess(api.kubeconfigPath);
    await agent.untilPeers(count);
    if (count === 500) nodes = await joins(agent, nodes);
    if (count === 1000) await restingMemory(agent, count);
    await agent.stop();
    clean();
  }
} finally {
  await api.stop();
}

/** Start to the last peer in the kernel, and the CPU it took; three times, beside the same by hand. */
async function starts(count: number): Promise<void> {
  const [times, cpu, byHand]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < 3; round += 1) {
    const agent = new AgentProcess(api.kubeconfigPath);
    await agent.untilPeers(count);
    times.push(performance.now() - agent.began);
    cpu.push(agent.cpu());
    await agent.stop();
    clean();
    const began = performance.now();
    execFileSync('node', [
      '--disable-warning=ExperimentalWarning',
      RAW_LIST,
      api.kubeconfigPath,
      nodeName(SELF),
    ]);
    byHand.push(performance.now() - began);
    clean();
  }
  const where = `${count} nodes`;
  const mark = count === 1000;
  row({
    what: 'agent: start to all peers programmed',
    where,
    value: median(times),
    unit: 'ms',
    ...(mark && { mark: { atMost: FIELD.start } }),
  });
  row({
    what: 'agent: CPU of the start',
    where,
    value: median(cpu),
    unit: 'CPU s',
    ...(mark && { mark: { atMost: FIELD.cpu } }),
  });
  row({ what: 'raw list, wg syncconf, ip -batch', where, value: median(byHand), unit: 'ms' });
  row({
    what: 'agent : raw list',
    where,
    value: median(times) / median(byHand),
    unit: 'x',
    mark: { atMost: 1.5 },
  });
}

/** From the request that creates a Node to the message that gives its peer to the kernel. Returns the number of the next Node. */
async function joins(agent: AgentProcess, first: number): Promise<number> {
  await sleep(5000);
  const tap = await NetlinkTap.open();
  const [times, cpu]: [number[], number[]] = [[], []];
  for (let i = first; i < first + JOINS; i += 1) {
    await sleep(1500);
    tap.forget();
    const before = agent.cpu();
    const began = performance.now();
    const created = createNode(target, i);
    times.push((await tap.first(publicKeyOf(i))) - began);
    await created;
    await sleep(500);
    cpu.push(agent.cpu() - before);
  }
  await tap.close();
  const where = '500 nodes';
  row({
    what: 'agent: one node added',
    where,
    value: median(times),
    unit: 'ms',
    mark: { atMost: FIELD.join },
  });
  row({ what: 'agent: CPU of one node added', where, value: median(cpu), unit: 'CPU s' });
  return first + JOINS;
}

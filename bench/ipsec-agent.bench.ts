// kernel bench
/** A real agent with IPsec before a real API server, and N nodes that answer: memory, an idle minute, a prefix that comes, the agent started anew. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parsePublicKey } from 'wireguard-tools-wrapper/keys';
import { apiTarget, call, send } from '../lab/api-client.ts';
import { startKubeApiserver } from '../test/support/kube-apiserver.ts';
import { AgentProcess } from './agent-process.ts';
import { createNodes } from './api.ts';
import { nodeName, prefixesOf, SELF } from './cluster.ts';
import { ipsecAnnotations } from './ipsec/cluster.ts';
import { XfrmCounter } from './ipsec/counts.ts';
import { addEnds, Ends, removeEnds } from './ipsec/ends.ts';
import { sh } from './machine.ts';
import { cpuOf, memoryOf } from './proc.ts';
import { median, row } from './rows.ts';

const COUNT = 1000;
const MINUTE = 60_000;
const PATIENCE = 300_000;
/** Policies by which a peer is sent to. */
const PREFIXES = 4;
const CHANGES = 7;
const where = `${COUNT} nodes`;

const api = await startKubeApiserver({ patience: 300_000 });
const target = await apiTarget(api.kubeconfigPath);
const counter = new XfrmCounter();
addEnds(COUNT);
const ends = new Ends(mkdtempSync(path.join(tmpdir(), 'sheath-bench-ends-')), COUNT);
try {
  await createNodes(target, SELF, SELF + 1 + COUNT, ipsecAnnotations);
  const agent = new AgentProcess(api.kubeconfigPath, [], { encryption: 'ipsec' });
  await ends.start(await publishedKey());
  await until(async () => (await all()) >= 1);
  const charon = Number.parseInt(readFileSync(path.join(agent.folder, 'run/ipsec/charon.pid'), 'utf8'), 10);
  console.error(`${where}: all sessions after ${Math.round(performance.now() - agent.began)} ms`);
  await sleep(MINUTE);
  row({ what: 'agent: VmRSS at rest', where, value: agent.memory(), unit: 'MiB' });
  row({ what: 'charon: VmRSS at rest', where, value: memoryOf(charon), unit: 'MiB' });
  const before = [agent.cpu(), cpuOf(charon)] as const;
  await sleep(MINUTE);
  row({ what: 'idle minute: CPU of the agent', where, value: agent.cpu() - before[0], unit: 'CPU s' });
  row({ what: 'idle minute: CPU of charon', where, value: cpuOf(charon) - before[1], unit: 'CPU s' });
  await prefixes(agent, charon);
  const next = await restart(agent, charon);
  await next.stop();
} finally {
  counter.close();
  await ends.stop();
  removeEnds();
  await api.stop();
}
process.exit();

/** Shares of all sessions that are there and sent by: 1 is all. */
async function all(): Promise<number> {
  const { states, out } = await counter.read();
  return Math.min(states / (2 * COUNT), out / (PREFIXES * COUNT));
}

async function until(done: () => Promise<boolean>, pace = 50): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${JSON.stringify(await counter.read())}`);
    await sleep(pace);
  }
}

/** The agent makes its own. */
async function publishedKey() {
  for (;;) {
    const { bytes } = await send(target, { path: `/api/v1/nodes/${nodeName(SELF)}` });
    const node = JSON.parse(bytes.toString()) as { metadata: { annotations?: Record<string, string> } };
    const text = node.metadata.annotations?.['sheath.dev/generations'];
    const [generation] = JSON.parse(text ?? '[]') as { publicKey: string }[];
    if (generation !== undefined) return parsePublicKey(generation.publicKey);
    await sleep(100);
  }
}

/** A prefix more at a node, as when a pod comes: from the request to its policy, and what it costs besides. */
async function prefixes(agent: AgentProcess, charon: number): Promise<void> {
  const [times, cpu]: [number[], number[]] = [[], []];
  const [charonBefore, states] = [cpuOf(charon), statesNow()];
  for (let i = SELF + 1; i <= SELF + CHANGES; i += 1) {
    const { out } = await counter.read();
    const before = agent.cpu();
    const began = performance.now();
    const annotations = {
      'sheath.dev/prefixes': [...prefixesOf(i), `10.250.${i & 255}.0/24`].sort().join(','),
    };
    await call(target, {
      method: 'PATCH',
      path: `/api/v1/nodes/${nodeName(i)}`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { annotations } },
    });
    await until(async () => (await counter.read()).out > out, 5);
    times.push(performance.now() - began);
    await sleep(2000);
    cpu.push(agent.cpu() - before);
  }
  row({ what: 'one prefix more: request to policy', where, value: median(times), unit: 'ms' });
  row({ what: 'one prefix more: CPU of the agent', where, value: median(cpu), unit: 'CPU s' });
  const charonCpu = (cpuOf(charon) - charonBefore) / CHANGES;
  row({ what: 'one prefix more: CPU of charon', where, value: charonCpu, unit: 'CPU s' });
  renegotiated('one prefix more', states);
}

/** An agent that is killed, and another that finds what it left. */
async function restart(agent: AgentProcess, charon: number): Promise<AgentProcess> {
  const states = statesNow();
  await agent.stop('SIGKILL');
  const charonBefore = cpuOf(charon);
  const next = new AgentProcess(api.kubeconfigPath, [], {
    encryption: 'ipsec',
    before: agent.folder,
  });
  await sleep(MINUTE / 2);
  row({ what: 'agent started anew: its CPU in 30 s', where, value: next.cpu(), unit: 'CPU s' });
  row({
    what: 'agent started anew: CPU of charon',
    where,
    value: cpuOf(charon) - charonBefore,
    unit: 'CPU s',
  });
  renegotiated('agent started anew', states);
  return next;
}

function renegotiated(what: string, before: ReadonlySet<string>): void {
  const now = statesNow();
  const value = [...now].filter((spi) => !before.has(spi)).length;
  row({ what: `${what}: new states`, where, value, unit: 'writes', mark: { atMost: 0 } });
}

function statesNow(): ReadonlySet<string> {
  return new Set(sh('ip xfrm state').match(/spi 0x[0-9a-f]{8}/g) ?? []);
}

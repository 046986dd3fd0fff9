// kernel bench
/** Packets lost between two nodes at 250 a second each way, while things happen; and how soon all is well again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { apiTarget } from '../lab/api-client.ts';
import { deleteNode } from '../lab/node-objects.ts';
import { startAgent } from '../lab/nodes/agents.ts';
import { killNode, labDown, labUp, setEncryption, startNode, untilSettled } from '../lab/nodes/lab.ts';
import { run } from '../lab/processes.ts';
import { startTraffic } from '../lab/traffic/start.ts';
import { row } from './rows.ts';

const NAME = 'bench';
const PROGRAM = ['node', new URL('../dist/sheath.mjs', import.meta.url).pathname];
const PATIENCE = { patience: 120_000 };
const where = '250/s each way';

let lab = await labUp({ name: NAME, nodes: 3, ipv6: true, program: PROGRAM, withoutAgents: true });
const [first, , third] = lab.topology.members;
if (first === undefined || third === undefined) throw new Error('a lab without nodes');
try {
  for (const node of lab.topology.members) if (node !== third) await startAgent(lab, node);
  await sleep(8000);
  await phase('enable', async () => {
    lab = await setEncryption(NAME, 'wireguard', { patience: 15_000 }).catch(() => lab);
    await sleep(8000);
  });
  await phase('agent killed and started, one end', () => restart('n1'));
  await phase('agent killed and started, other end', () => restart('n2'));
  await phase('another node joins', async () => {
    await startNode(lab, 'n3');
    await untilSettled(lab, PATIENCE);
  });
  await phase('another node leaves', async () => {
    await killNode(lab, 'n3', 'agent');
    await deleteNode(await apiTarget(lab.kubeconfig), 'n3');
    await sleep(4000);
  });
  await deviceDeleted();
  await phase('disable', async () => {
    await setEncryption(NAME, 'none', { patience: 30_000 }).catch(() => undefined);
    await sleep(8000);
  });
  await together();
} finally {
  await labDown(NAME);
}
process.exit();

/** Traffic of its own for each, so that what is under way at its end is counted. */
async function phase(what: string, happen: () => Promise<void>): Promise<void> {
  const traffic = await startTraffic(lab, { rate: 250 });
  await sleep(1500);
  await happen();
  await sleep(1500);
  const { flows } = await traffic.stop();
  // The third node comes and goes: only what passes between the other two is counted.
  const counted = flows.filter(({ from, to }) => ![from, to].some((end) => end.startsWith('n3')));
  const lost = counted.reduce((sum, flow) => sum + flow.lost, 0);
  const sent = counted.reduce((sum, flow) => sum + flow.sent, 0);
  row({ what: `lost of ${sent}: ${what}`, where, value: lost, unit: 'packets', mark: { atMost: 0 } });
}

async function restart(node: string): Promise<void> {
  await killNode(lab, node, 'agent');
  await sleep(500);
  await startNode(lab, node);
  await sleep(6000);
}

async function deviceDeleted(): Promise<void> {
  const inside = ['ip', 'netns', 'exec', first?.netns ?? '', 'ip'];
  await run([...inside, 'link', 'del', 'sheath1']);
  const began = performance.now();
  for (;;) {
    const routes = await run([...inside, 'route', 'show', 'table', '51830']).catch(() => '');
    if (routes.includes('dev sheath1')) break;
    if (performance.now() - began > 60_000) throw new Error('the deleted device did not come back');
    await sleep(10);
  }
  row({
    what: 'device deleted: back with its routes',
    where: '',
    value: performance.now() - began,
    unit: 'ms',
    mark: { atMost: 1000 },
  });
  await sleep(3000);
}

/** The time is mostly that of three programs starting on one CPU; two handshakes that cross would add 5 s. */
async function together(): Promise<void> {
  await labDown(NAME);
  lab = await labUp({
    name: NAME,
    nodes: 3,
    ipv6: true,
    program: PROGRAM,
    encryption: 'wireguard',
    withoutAgents: true,
  });
  const began = performance.now();
  await Promise.all(lab.topology.members.map((node) => startAgent(lab, node)));
  await untilSettled(lab, PATIENCE);
  row({
    what: 'three agents started together: all encrypted',
    where: '',
    value: (performance.now() - began) / 1000,
    unit: 's',
    mark: { atMost: 5 },
  });
}

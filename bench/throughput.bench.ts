// kernel bench
/** iperf3 from pod to pod through the mesh, against a `wg` pair made by hand between the same two nodes. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { labDown, labUp } from '../lab/nodes/lab.ts';
import type { LabNode } from '../lab/nodes/topology.ts';
import { run } from '../lab/processes.ts';
import { sh } from './machine.ts';
import { median, row } from './rows.ts';

const NAME = 'bench';
const PROGRAM = ['node', new URL('../dist/sheath.mjs', import.meta.url).pathname];
const ROUNDS = 5;
const SECONDS = 4;
/** Before the rules of the mesh. */
const PRIORITY = 90;
const TABLE = 900;

const lab = await labUp({
  name: NAME,
  nodes: 2,
  program: PROGRAM,
  encryption: 'wireguard',
  patience: 120_000,
});
try {
  const [one, other] = lab.topology.members;
  if (one === undefined || other === undefined) throw new Error('a lab without nodes');
  pairByHand(one, other);
  const server = spawn('ip', ['netns', 'exec', pod(other).netns, 'iperf3', '-s'], { stdio: 'ignore' });
  await sleep(1500);
  const [mesh, byHand]: [number[], number[]] = [[], []];
  await measure(one, other);
  for (let round = 0; round < ROUNDS; round += 1) {
    mesh.push(await measure(one, other));
    await turn('add', one, other);
    byHand.push(await measure(one, other));
    await turn('del', one, other);
  }
  server.kill();
  const where = 'pod to pod';
  row({ what: 'iperf3 through the mesh', where, value: median(mesh), unit: 'Mbit/s' });
  row({ what: 'iperf3 through a wg pair by hand', where, value: median(byHand), unit: 'Mbit/s' });
  row({
    what: 'mesh : by hand',
    where,
    value: median(mesh) / median(byHand),
    unit: 'x',
    mark: { atLeast: 0.98 },
  });
} finally {
  await labDown(NAME);
}
process.exit();

function pod(node: LabNode) {
  const [first] = node.pods;
  if (first === undefined) throw new Error('a node without pods');
  return first;
}

/** A device each, with the MTU that the mesh has there, and routes in a table that no rule leads to yet. */
function pairByHand(one: LabNode, other: LabNode): void {
  for (const node of [one, other]) {
    sh(`ip netns exec ${node.netns} sh -ec 'umask 077; wg genkey >/tmp/${node.netns}.key
        ip link add byhand type wireguard; wg set byhand listen-port 51900 private-key /tmp/${node.netns}.key
        ip link set byhand mtu "$(cat /sys/class/net/sheath1/mtu)" up'`);
  }
  for (const [node, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    const key = sh(`ip netns exec ${peer.netns} wg show byhand public-key`).trim();
    const [prefix] = peer.podCIDRs;
    sh(`ip netns exec ${node.netns} sh -ec 'wg set byhand peer ${key} endpoint ${peer.addresses[0]}:51900 allowed-ips ${prefix}
        ip route add ${prefix} dev byhand table ${TABLE}'`);
  }
}

async function turn(verb: 'add' | 'del', ...nodes: LabNode[]): Promise<void> {
  for (const { netns } of nodes)
    await run([
      'ip',
      'netns',
      'exec',
      netns,
      'ip',
      'rule',
      verb,
      'pref',
      String(PRIORITY),
      'lookup',
      String(TABLE),
    ]);
  await sleep(500);
}

/** Mbit/s received. */
async function measure(one: LabNode, other: LabNode): Promise<number> {
  const [address = ''] = pod(other).addresses;
  const client = ['iperf3', '-J', '-t', String(SECONDS), '-c', address];
  const text = await run(['ip', 'netns', 'exec', pod(one).netns, ...client]);
  const result = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return result.end.sum_received.bits_per_second / 1e6;
}

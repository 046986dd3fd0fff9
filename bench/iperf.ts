/** iperf3 from pod to pod of a lab of two nodes: through the mesh, and in turns through what was made by hand beside it. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab/nodes/folder.ts';
import type { LabNode } from '../lab/nodes/topology.ts';
import { run } from '../lab/processes.ts';
import { median, row } from './rows.ts';

/** Routes by hand are in it; a rule before those of the mesh leads to it, in its turn. */
export const TABLE = 900;
const PRIORITY = 90;
const ROUNDS = 5;
const SECONDS = 4;

export type Pair = readonly [LabNode, LabNode];

export function nodesOf(lab: Lab): Pair {
  const [one, other] = lab.topology.members;
  if (one === undefined || other === undefined) throw new Error('a lab without nodes');
  return [one, other];
}

/** Rows of both, and of the ratio of their medians. */
export async function compare(pair: Pair, reference: string): Promise<void> {
  const [, other] = pair;
  const server = spawn('ip', ['netns', 'exec', pod(other).netns, 'iperf3', '-s'], { stdio: 'ignore' });
  await sleep(1500);
  const [mesh, byHand]: [number[], number[]] = [[], []];
  await measure(pair);
  for (let round = 0; round < ROUNDS; round += 1) {
    mesh.push(await measure(pair));
    await turn('add', pair);
    byHand.push(await measure(pair));
    await turn('del', pair);
  }
  server.kill();
  const where = 'pod to pod';
  row({ what: 'iperf3 through the mesh', where, value: median(mesh), unit: 'Mbit/s' });
  row({ what: `iperf3 through ${reference}`, where, value: median(byHand), unit: 'Mbit/s' });
  const value = median(mesh) / median(byHand);
  row({ what: 'mesh : by hand', where, value, unit: 'x', mark: { atLeast: 0.98 } });
  console.error(JSON.stringify({ mesh, byHand }));
}

function pod(node: LabNode) {
  const [first] = node.pods;
  if (first === undefined) throw new Error('a node without pods');
  return first;
}

async function turn(verb: 'add' | 'del', pair: Pair): Promise<void> {
  const rule = ['ip', 'rule', verb, 'pref', String(PRIORITY), 'lookup', String(TABLE)];
  for (const { netns } of pair) await run(['ip', 'netns', 'exec', netns, ...rule]);
  await sleep(500);
}

/** Mbit/s received. */
async function measure([one, other]: Pair): Promise<number> {
  const [address = ''] = pod(other).addresses;
  const client = ['iperf3', '-J', '-t', String(SECONDS), '-c', address];
  const text = await run(['ip', 'netns', 'exec', pod(one).netns, ...client]);
  const result = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return result.end.sum_received.bits_per_second / 1e6;
}

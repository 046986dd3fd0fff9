/** Nodes without agents, whose tunnels answer all the same: all of them in one namespace on the wire. */
import { writeFile } from 'node:fs/promises';
import { type ApiTarget, call } from '../../../lab/api-client.ts';
import { nodeManifest } from '../../../lab/node-objects.ts';
import type { Topology } from '../../../lab/nodes/topology.ts';
import { run } from '../../../lab/processes.ts';
import { goodRecord, type Honest } from '../../operator/bad-records.ts';

const LABEL = 'sheath-test';
/** Requests at once. */
const AT_ONCE = 8;

export interface Member extends Honest {
  readonly privateKey: string;
}

export type KeyPair = Pick<Member, 'driver' | 'publicKey' | 'privateKey'>;

/** Member 1 to 200, each with a key of its own. The agents of a lab begin the handshakes: their names come first. */
export function member(i: number, name: string, keys: KeyPair): Member {
  return {
    ...keys,
    ...{ name, generation: 1, port: 20_000 + i },
    prefix: `10.245.${i}.0/24`,
    prefix6: `fd00:10:245:${i.toString(16)}::/64`,
    address: `192.0.2.${20 + i}`,
  };
}

export interface Crowd {
  readonly topology: Topology;
  readonly netns: string;
  readonly folder: string;
  readonly members: readonly Member[];
  /** Those who may ask. */
  readonly agents: readonly Honest[];
}

/** Its network. Goes with the lab. */
export async function gather({ topology, netns, folder, members }: Crowd): Promise<void> {
  await run(['ip', 'netns', 'add', netns]);
  await run(['ip', '-n', topology.wire, 'link', 'add', 'crowd', 'type', 'veth', ...peerIn(netns)]);
  await run(['ip', '-n', topology.wire, 'link', 'set', 'crowd', 'master', 'br0', 'up']);
  const lines = [...members.map(({ address }) => `addr add ${address}/24 dev eth0`), 'link set eth0 up'];
  await inBatch({ netns, folder }, lines);
}

export async function inBatch(
  { netns, folder }: Pick<Crowd, 'netns' | 'folder'>,
  lines: readonly string[],
): Promise<void> {
  await writeFile(`${folder}/crowd.batch`, `${lines.join('\n')}\n`);
  await run(['ip', '-n', netns, '-batch', `${folder}/crowd.batch`]);
}

function peerIn(netns: string): readonly string[] {
  return ['peer', 'name', 'eth0', 'netns', netns];
}

export async function disperse({ topology, netns }: Crowd): Promise<void> {
  await run(['ip', '-n', topology.wire, 'link', 'del', 'crowd']);
  await run(['ip', 'netns', 'del', netns]);
}

/** A list for `kubectl create -f`, which makes them in this order. */
export async function writeNodes(members: readonly Member[], file: string): Promise<void> {
  const items = members.map((each) =>
    nodeManifest({
      ...{ name: each.name, podCIDRs: [each.prefix, each.prefix6], addresses: [each.address] },
      labels: { [LABEL]: 'crowd' },
      annotations: goodRecord(each),
    }),
  );
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

export async function deleteNodes(target: ApiTarget): Promise<void> {
  await call(target, { method: 'DELETE', path: `/api/v1/nodes?labelSelector=${LABEL}%3Dcrowd` });
}

/** A few at a time. */
export async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

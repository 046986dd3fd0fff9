/** Leaves everything as if a node had lived with its clock ahead: the others saw handshakes of then, and refuse those that it begins now. */
import { setTimeout as sleep } from 'node:timers/promises';
import { bindIn } from '../../../lab/namespace-sockets.ts';
import type { Topology } from '../../../lab/nodes/topology.ts';
import { run } from '../../../lab/processes.ts';
import { desiredOf, type Wanted } from '../../simulation/contract/world.ts';
import { initiation } from '../rotation/initiation.ts';

const ANSWER_WITHIN = 2000;

export interface Ahead {
  readonly node: number;
  /** Milliseconds. */
  readonly ahead: number;
  readonly topology: Topology;
  /** What it held. */
  readonly wanted: Wanted;
}

/** Takes its devices, whose ports are needed: for a node that goes down. */
export async function liveAhead({ node, ahead, topology, wanted }: Ahead): Promise<void> {
  const member = topology.members[node - 1];
  const { plan, privateKey } = desiredOf(node, topology.nodes, wanted);
  for (const device of plan.devices) {
    await run(['ip', '-n', member?.netns ?? '', 'link', 'del', device.name]).catch(() => undefined);
    const [socket] = await bindIn(member?.netns ?? '', [
      { address: member?.addresses[0] ?? '', port: device.port },
    ]);
    let answers = 0;
    socket?.on('error', () => undefined);
    socket?.on('message', ([type]) => {
      if (type === 2) answers += 1;
    });
    const from = privateKey(device.generation);
    for (const { endpoint, links } of plan.peers) {
      const link = links.find((one) => one.device === device.name);
      if (link === undefined) continue;
      const message = initiation({ from, to: link.publicKey, time: Date.now() + ahead });
      socket?.send(message, link.port, endpoint);
    }
    const deadline = performance.now() + ANSWER_WITHIN;
    while (answers < plan.peers.length && performance.now() < deadline) await sleep(20);
    socket?.close();
  }
}

/** Who talks to whom in a lab's traffic; pure. */
import { isIPv6 } from 'node:net';
import type { Topology } from '../nodes/topology.ts';

export interface Endpoint {
  readonly name: string;
  readonly netns: string;
  readonly node: string;
  readonly addresses: readonly string[];
}

/** Both directions between two endpoints in one family. */
export interface Pair {
  readonly one: Endpoint;
  readonly other: Endpoint;
  readonly family: 4 | 6;
  /** Its sockets on both ends have this port: one pair, one port. */
  readonly port: number;
}

/** `pods`: every pod with every pod of other nodes; `hosts`: nodes with pods of other nodes, and with each other. */
export type Between = 'pods' | 'hosts' | 'all';

const FIRST_PORT = 20_000;

export function pairs(lab: Topology, between: Between, firstPort = FIRST_PORT): readonly Pair[] {
  const pods = lab.members.flatMap((node): readonly Endpoint[] => node.pods);
  const hosts = lab.members.map(
    ({ name, netns, addresses }): Endpoint => ({ name, netns, node: name, addresses }),
  );
  const ends = between === 'pods' ? pods : [...pods, ...hosts];
  const isPod = (end: Endpoint): boolean => end.name !== end.node;
  const found: Pair[] = [];
  for (const [at, one] of ends.entries()) {
    for (const other of ends.slice(at + 1)) {
      if (one.node === other.node) continue;
      if (between === 'hosts' && isPod(one) && isPod(other)) continue;
      for (const address of one.addresses) {
        found.push({ one, other, family: isIPv6(address) ? 6 : 4, port: firstPort + found.length });
      }
    }
  }
  return found;
}

export function addressOf(end: Endpoint, family: 4 | 6): string {
  return end.addresses.find((address) => isIPv6(address) === (family === 6)) ?? '';
}

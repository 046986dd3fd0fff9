/** Who talks to whom in a lab's traffic; pure. */
import { isIPv6 } from 'node:net';
import { LabError } from '../errors.ts';
import type { Topology } from '../nodes/topology.ts';

export interface Endpoint {
  readonly name: string;
  readonly netns: string;
  readonly node: string;
  readonly addresses: readonly string[];
}

/** Two endpoints in one family. */
export interface Pair {
  readonly one: Endpoint;
  readonly other: Endpoint;
  readonly family: 4 | 6;
  /** Its sockets on both ends have this port: one pair, one port. */
  readonly port: number;
}

/**
 * - `pods`: every pod with every pod of other nodes.
 * - `hosts`: every node with the pods of other nodes.
 * - `nodes`: the nodes with each other.
 */
export type Between = 'pods' | 'hosts' | 'nodes' | 'all';

const FIRST_PORT = 20_000;

export interface PairOptions {
  readonly between: Between;
  /** Names of the endpoints that take part; all unless given. */
  readonly only?: readonly string[];
  readonly firstPort?: number;
  /** Each couple of endpoints twice, once in either order. */
  readonly ordered?: boolean;
}

/** Throws `LAB_NODE_UNKNOWN` for a name that no pod and no node of the lab has. */
export function requirePlaces(lab: Topology, names: readonly string[]): void {
  const known = new Set(places(lab).map(({ name }) => name));
  const unknown = names.find((name) => !known.has(name));
  if (unknown === undefined) return;
  const [last] = lab.members.slice(-1);
  const range = last && last.name !== 'n1' ? `n1 to ${last.name}, and pods` : 'n1, and pods';
  throw new LabError(
    'LAB_NODE_UNKNOWN',
    `the lab "${lab.name}" has no pod or node "${unknown}": it has ${range} like n1-p1`,
  );
}

function places(lab: Topology): readonly Endpoint[] {
  return [
    ...lab.members.flatMap((node): readonly Endpoint[] => node.pods),
    ...lab.members.map(({ name, netns, addresses }): Endpoint => ({ name, netns, node: name, addresses })),
  ];
}

export function pairs(lab: Topology, options: PairOptions): readonly Pair[] {
  const ends = places(lab).filter(({ name }) => options.only?.includes(name) ?? true);
  const firstPort = options.firstPort ?? FIRST_PORT;
  const found: Pair[] = [];
  for (const [at, one] of ends.entries()) {
    for (const other of options.ordered ? ends : ends.slice(at + 1)) {
      if (one.node === other.node || !areWanted(one, other, options.between)) continue;
      for (const address of one.addresses) {
        found.push({ one, other, family: isIPv6(address) ? 6 : 4, port: firstPort + found.length });
      }
    }
  }
  return found;
}

function areWanted(one: Endpoint, other: Endpoint, between: Between): boolean {
  const pods = [one, other].filter((end) => end.name !== end.node).length;
  switch (between) {
    case 'pods':
      return pods === 2;
    case 'hosts':
      return pods === 1;
    case 'nodes':
      return pods === 0;
    case 'all':
      return true;
  }
}

export function addressOf(end: Endpoint, family: 4 | 6): string {
  return end.addresses.find((address) => isIPv6(address) === (family === 6)) ?? '';
}

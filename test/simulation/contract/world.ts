/**
 * Nodes with a pod each, as a test sees them: what an agent asks of its dataplane, what people and chance do to machines, and what becomes of a
 * packet. The simulation's model is one, network namespaces on a real kernel are another (`test/kernel/model/`).
 */
import type { DeviceName, MeshPlan, Observation } from '../../../mesh/types.ts';
import type { DesiredState, Report } from '../../../tunnels/dataplane.ts';
import { desired, peer, prefix, privateKey, publicKey } from '../../tunnels/states.ts';

export interface World {
  /** The nodes are 1 to this. */
  readonly size: number;
  /** A turn of the agent of a node. */
  set(node: number, wanted: Wanted): Promise<Report>;
  observe(node: number): Promise<readonly Observation[]>;
  /** A packet from the pod of one node to that of another; resolves a moment later. What became of it is told whenever it is asked. */
  send(from: number, to: number): Promise<Fate>;
  pass(ms: number): Promise<void>;
  /** Milliseconds since any moment. */
  now(): number;
  deleteDevice(node: number, name: DeviceName): Promise<void>;
  removePeer(node: number, name: DeviceName, key: string): Promise<void>;
  /** Killed, and started again: it knows nothing. */
  restartAgent(node: number): Promise<void>;
  /** The kernel's state is gone; the agent did nothing yet. @param ahead its clock was so many ms ahead until now */
  reboot(node: number, ahead?: number): Promise<void>;
  /** Nothing reaches it, and nothing leaves it. */
  cut(node: number, isOff: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface Fate {
  readonly arrived: boolean;
  /** Somebody on the wire could read it. */
  readonly clear: boolean;
}

export interface Wanted {
  readonly generations: readonly number[];
  /** All others, unless told. */
  readonly peers?: readonly number[];
  /** All peers, unless told. */
  readonly routed?: readonly number[];
  /** The newest, unless told. */
  readonly routesOn?: number;
  readonly mode?: MeshPlan['mode'];
  /** Nodes whose newest link is made anew; and nodes that are asked for a handshake. */
  readonly restart?: readonly number[];
  readonly provoke?: readonly number[];
  /** How often nodes took their keys in place. */
  readonly keys?: Readonly<Record<number, number>>;
}

const keySeed = (node: number, generation: number, wanted: Wanted): number =>
  node * 100 + generation + 100_000 * (wanted.keys?.[node] ?? 0);

export const keyOf = (node: number, generation: number, wanted: Wanted = { generations: [] }) =>
  publicKey(keySeed(node, generation, wanted));

export const names = (nodes: readonly number[] = []): readonly string[] => nodes.map((n) => `n${n}`);

export const others = (node: number, size: number): readonly number[] =>
  Array.from({ length: size }, (_, i) => i + 1).filter((n) => n !== node);

const CLUSTER = ['10.244.0.0/16', 'fd00:10:244::/48'].map(prefix);

/** What the agent of this node would ask for. */
export function desiredOf(node: number, size: number, wanted: Wanted): DesiredState {
  const { generations, peers = others(node, size), mode = 'permissive' } = wanted;
  const state = desired(
    {
      self: node,
      peers,
      generations,
      ...(wanted.routed === undefined ? {} : { routed: wanted.routed }),
      ...(wanted.routesOn === undefined ? {} : { routesOn: wanted.routesOn }),
    },
    { restart: names(wanted.restart), keepalive: new Set(names(wanted.provoke)) },
  );
  return {
    ...state,
    privateKey: (generation) => privateKey(keySeed(node, generation, wanted)),
    plan: {
      ...state.plan,
      mode,
      clusterPrefixes: mode === 'strict' ? CLUSTER : [],
      peers: generations.length === 0 ? [] : peers.map((n) => peerOf(n, generations, wanted)),
    },
  };
}

function peerOf(node: number, generations: readonly number[], wanted: Wanted): MeshPlan['peers'][number] {
  const known = peer(node, generations);
  if ((wanted.keys?.[node] ?? 0) === 0) return known;
  return {
    ...known,
    links: known.links.map((link) => ({ ...link, publicKey: keyOf(node, link.generation, wanted) })),
  };
}

/** Desired states for tests: what the plan of a small mesh would be. */
import { PrivateKey, type PublicKey } from 'wireguard-tools-wrapper';
import { podMark } from '../../mesh/pod-mark.ts';
import type {
  Address,
  DeviceName,
  DevicePlan,
  MeshPlan,
  PeerPlan,
  Prefix,
  RoutePlan,
  RoutingConfig,
  RuleEntry,
} from '../../mesh/types.ts';
import type { DesiredState } from '../../tunnels/dataplane.ts';

export const address = (text: string) => text as Address;
export const prefix = (text: string) => text as Prefix;

export const routing: RoutingConfig = {
  table: 51830,
  rulePriority: 95,
  podTable: 51831,
  podRulePriority: 94,
  fwmark: { mark: 0x1000, mask: 0x1000 },
};

/** The same key for the same seed, so that failures repeat. */
export function privateKey(seed: number): PrivateKey {
  const bytes = new Uint8Array(32).fill(7);
  new DataView(bytes.buffer).setUint32(4, seed);
  bytes[0] = 8;
  bytes[31] = 64;
  return PrivateKey.fromBytes(bytes);
}

const keys = new Map<number, PublicKey>();
export function publicKey(seed: number): PublicKey {
  const known = keys.get(seed) ?? privateKey(seed).publicKey();
  keys.set(seed, known);
  return known;
}

export const deviceName = (generation: number): DeviceName => (generation % 2 === 0 ? 'sheath0' : 'sheath1');

export interface MeshShape {
  /** This node's number: addresses and prefixes follow from it. */
  readonly self: number;
  readonly peers: readonly number[];
  readonly generations: readonly number[];
  /** Peers that are routed; all by default. */
  readonly routed?: readonly number[];
  readonly scope?: 'pods' | 'nodes';
  readonly keepalive?: number;
  readonly port?: number;
  readonly mtu?: 'auto' | number;
  readonly routing?: RoutingConfig;
  /** The generation that all routes are on; the newest by default. */
  readonly routesOn?: number;
  readonly prefixSource?: 'podCIDRs' | 'pods';
}

export const nodeAddress = (n: number) => address(`192.0.2.${n}`);
export const nodeAddress6 = (n: number) => address(`2001:db8::${n.toString(16)}`);
export const pods = (n: number) => prefix(`10.244.${n}.0/24`);
export const pods6 = (n: number) => prefix(`fd00:10:244:${n.toString(16)}::/64`);

/** Each peer is one object as long as it is the same: as `plan()` shares them. */
const peers = new Map<string, PeerPlan>();
export function peer(n: number, generations: readonly number[], port = 51830): PeerPlan {
  const name = JSON.stringify([n, generations, port]);
  const known = peers.get(name) ?? {
    node: `n${n}`,
    uid: `uid-${n}`,
    endpoint: nodeAddress(n),
    allowedIPs: [pods(n), prefix(`${nodeAddress(n)}/32`), pods6(n), prefix(`${nodeAddress6(n)}/128`)],
    prefixes: [pods(n), pods6(n)],
    addresses: [nodeAddress(n), nodeAddress6(n)],
    links: generations.map((generation) => ({
      generation,
      device: deviceName(generation),
      driver: 'wireguard' as const,
      publicKey: publicKey(n * 100 + generation),
      port: port + (generation % 2),
    })),
  };
  peers.set(name, known);
  return known;
}

export function mesh(shape: MeshShape): MeshPlan {
  const { self, generations } = shape;
  const port = shape.port ?? 51830;
  const devices = generations.map(
    (generation): DevicePlan => ({
      name: deviceName(generation),
      generation,
      driver: 'wireguard',
      port: port + (generation % 2),
      mtu: shape.mtu ?? 'auto',
      addresses: [prefix(`10.244.${self}.0/32`), prefix(`fd00:10:244:${self.toString(16)}::/128`)],
      keepalive: shape.keepalive ?? 0,
      receiveOnly: generation < (shape.routesOn ?? 0),
    }),
  );
  return {
    self: `n${self}`,
    encryption: generations.length === 0 ? 'none' : 'wireguard',
    mode: 'permissive',
    scope: shape.scope ?? 'pods',
    devices,
    peers: generations.length === 0 ? [] : shape.peers.map((n) => peer(n, generations, port)),
    refused: [],
    contested: [],
    routing: shape.routing ?? routing,
    ...(shape.prefixSource === undefined ? {} : { prefixSource: shape.prefixSource }),
    ownPrefixes: [pods(self), pods6(self)],
    ownAddresses: [nodeAddress(self), nodeAddress6(self)],
    exempt: [],
    clusterPrefixes: [],
    nodePrefixes: [],
  };
}

/** Both tables and all rules, as scope `pods` has them. */
export function routesOf(shape: MeshShape): RoutePlan {
  const { self, generations, routing: settings = routing } = shape;
  const newest = shape.routesOn ?? generations.at(-1);
  if (newest === undefined || generations.length === 0) return { routes: [], rules: [] };
  const device = deviceName(newest);
  const to = (table: number, text: string) => ({
    table,
    prefix: prefix(text),
    action: {
      type: 'device' as const,
      device,
      source: text.includes(':') ? nodeAddress6(self) : nodeAddress(self),
    },
  });
  const own = [pods(self), pods6(self)];
  return {
    routes: [
      ...own.map((text) => ({ table: settings.table, prefix: text, action: { type: 'throw' as const } })),
      ...(shape.routed ?? shape.peers).flatMap((n) => [
        to(settings.table, pods(n)),
        to(settings.table, pods6(n)),
        to(settings.podTable, `${nodeAddress(n)}/32`),
        to(settings.podTable, `${nodeAddress6(n)}/128`),
      ]),
    ],
    rules: ([4, 6] as const).flatMap((family) => [
      {
        kind: 'unmarked' as const,
        family,
        priority: settings.rulePriority,
        table: settings.table,
        ...settings.fwmark,
      },
      ruleOfPods(shape, family),
    ]),
  };
}

function ruleOfPods(
  { self, prefixSource, routing: settings = routing }: MeshShape,
  family: 4 | 6,
): RuleEntry {
  const rule = { family, priority: settings.podRulePriority, table: settings.podTable };
  const mark = podMark(settings.fwmark);
  if (prefixSource === 'pods' && mark !== undefined) return { kind: 'marked', ...rule, ...mark };
  return { kind: 'from', ...rule, from: family === 6 ? pods6(self) : pods(self) };
}

export function desired(shape: MeshShape, more: Partial<DesiredState> = {}): DesiredState {
  return {
    plan: mesh(shape),
    routes: routesOf(shape),
    privateKey: (generation) => privateKey(shape.self * 100 + generation),
    ...more,
  };
}

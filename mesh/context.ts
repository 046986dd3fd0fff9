/** What a plan knows of this node and its configuration, worked out once. */
import type { PublicKey } from '../keys/generation.ts';
import { rangeOfAddress } from './address.ts';
import { ClaimIndex } from './claim-index.ts';
import { type Claim, claimsOf } from './claims.ts';
import { familiesOf } from './lists.ts';
import { firstAddress, hostPrefix, lengthOf, type Range, rangeOf } from './prefix.ts';
import { type Screened, screen } from './screening.ts';
import { deviceOf } from './stance.ts';
import type {
  Address,
  DevicePlan,
  Family,
  MeshConfig,
  NodeRecord,
  PeerPlan,
  Prefix,
  Refusal,
} from './types.ts';

export interface Context {
  readonly self: NodeRecord;
  readonly config: MeshConfig;
  /** Where this node reaches the API server. */
  readonly reserved: readonly Address[];
  /** Oldest generation first. */
  readonly devices: readonly DevicePlan[];
  readonly families: readonly Family[];
  readonly ownClaims: readonly Claim[];
  readonly ownKeys: ReadonlySet<PublicKey>;
  readonly clusterRanges: readonly Range[];
  readonly nodeRanges: readonly Range[];
  readonly reservedRanges: readonly { readonly address: Address; readonly range: Range }[];
  /** Of the records of the last plan, and what was made of each. */
  readonly index: ClaimIndex<Remembered>;
}

type Basis = Pick<Context, 'self' | 'config' | 'reserved'>;

/** What was made of a record last. */
export interface Remembered extends Screened {
  readonly record: NodeRecord;
  seen: number;
  built: BuiltPeer | undefined;
}

/** A peer as it was planned last, and for which losses. */
export interface BuiltPeer {
  readonly verdict: string;
  readonly peer: PeerPlan | undefined;
  readonly refusals: readonly Refusal[];
}

const contexts = new WeakMap<NodeRecord, Context>();
let latest: Context | undefined;

/**
 * The context of this node, its configuration and its way to the API server. Equal ones get the same context, so that the plan of an unchanged record is the
 * same object as before: that, and nothing else, is remembered.
 */
export function contextOf(self: NodeRecord, config: MeshConfig, reserved: readonly Address[]): Context {
  const known = contexts.get(self);
  if (known?.config === config && known.reserved === reserved) return known;
  const text = relevant({ self, config, reserved });
  const same = [known, latest].find((context) => context !== undefined && relevant(context) === text);
  latest = same ?? createContext({ self, config, reserved });
  contexts.set(self, latest);
  return latest;
}

/** What a plan rests on; what we run, for instance, changes no peer. */
function relevant({ self, config, reserved }: Basis): string {
  const { name, uid, generations, endpoints, prefixes, sending } = self;
  const sends = generations.map(({ number }) => sending.includes(number));
  return JSON.stringify([name, uid, generations, sends, endpoints, prefixes, config, reserved]);
}

function createContext({ self, config, reserved }: Basis): Context {
  const context: Context = {
    self,
    config,
    reserved,
    devices: planDevices(self, config),
    families: familiesOf(self.endpoints),
    ownClaims: claimsOf(self),
    ownKeys: new Set(self.generations.map(({ publicKey }) => publicKey)),
    clusterRanges: config.clusterPrefixes.map(rangeOf),
    nodeRanges: config.nodePrefixes.map(rangeOf),
    reservedRanges: reserved.map((address) => ({ address, range: rangeOfAddress(address) })),
    index: new ClaimIndex((record) => remember(context, record)),
  };
  return context;
}

function remember(context: Context, record: NodeRecord): Remembered {
  const { claims, refusals } = screen(context, record);
  return { record, claims, refusals, seen: 0, built: undefined };
}

/** One a live generation. Two that share a device cannot live together: the older stays, because others still need it. */
function planDevices(self: NodeRecord, config: MeshConfig): readonly DevicePlan[] {
  const newest = self.generations.at(-1)?.number;
  const taken = new Set<number>();
  const devices: DevicePlan[] = [];
  for (const generation of self.generations) {
    const slot = generation.number % 2;
    if (taken.has(slot)) continue;
    taken.add(slot);
    const superseded = generation.number !== newest;
    const isWireGuard = generation.driver === 'wireguard';
    devices.push({
      name: deviceOf(generation.number),
      generation: generation.number,
      driver: generation.driver,
      port: isWireGuard ? generation.port : 0,
      ...(isWireGuard ? {} : { espProposals: config.ipsec.espProposals }),
      mtu: config.mtu,
      addresses: deviceAddresses(self.prefixes),
      keepalive: superseded || !isWireGuard ? 0 : config.wireguard.keepalive,
      receiveOnly: !self.sending.includes(generation.number),
    });
  }
  return devices;
}

/**
 * The first address of the first own prefix of each family: the network address, which no CNI hands to a pod. A prefix that is
 * one address (or two) is a pod's own, so a node with only such ones has none here: whoever makes the device gives it a
 * reserved one.
 */
function deviceAddresses(prefixes: readonly Prefix[]): readonly Prefix[] {
  return ([4, 6] as const).flatMap((family) => {
    const longest = family === 4 ? 30 : 126;
    const first = prefixes.find(
      (prefix) => prefix.includes(':') === (family === 6) && lengthOf(prefix) <= longest,
    );
    return first === undefined ? [] : [hostPrefix(firstAddress(first))];
  });
}

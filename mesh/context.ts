/** What a plan knows of this node and its configuration, worked out once, and the part of a record's judgement that rests on it alone. */
import type { PublicKey } from '../keys/generation.ts';
import { ClaimIndex } from './claim-index.ts';
import { type Claim, claimsOf, compareClaims } from './claims.ts';
import { familiesOf } from './lists.ts';
import { contains, firstAddress, hostPrefix, lengthOf, overlaps, type Range, rangeOf } from './prefix.ts';
import type { DevicePlan, Family, MeshConfig, NodeRecord, PeerPlan, Prefix, Refusal } from './types.ts';

export interface Context {
  readonly self: NodeRecord;
  readonly config: MeshConfig;
  /** Oldest generation first. */
  readonly devices: readonly DevicePlan[];
  readonly families: readonly Family[];
  readonly ownClaims: readonly Claim[];
  readonly ownKeys: ReadonlySet<PublicKey>;
  readonly clusterRanges: readonly Range[];
  readonly nodeRanges: readonly Range[];
  /** By record: what was made of it last. */
  readonly screened: WeakMap<NodeRecord, Screened>;
  readonly peers: WeakMap<NodeRecord, BuiltPeer>;
  /** Of the records of the last plan. */
  readonly index: ClaimIndex;
}

/** The claims of a record that are left after what no other record has a say in. */
export interface Screened {
  /** Sorted by `compareClaims`. */
  readonly claims: readonly Claim[];
  readonly refusals: readonly Refusal[];
}

/** A peer as it was planned last, and for which defeats of its claims. */
export interface BuiltPeer {
  readonly verdict: string;
  readonly peer: PeerPlan | undefined;
  readonly refusals: readonly Refusal[];
}

const contexts = new WeakMap<NodeRecord, Context>();
let latest: Context | undefined;

/**
 * The context of this node and configuration. Equal ones get the same context, so that the plan of an unchanged record is the
 * same object as before: that, and nothing else, is remembered.
 */
export function contextOf(self: NodeRecord, config: MeshConfig): Context {
  const known = contexts.get(self);
  if (known?.config === config) return known;
  const same = [known, latest].find(
    (context) => context !== undefined && isEqual([context.self, context.config], [self, config]),
  );
  latest = same ?? createContext(self, config);
  contexts.set(self, latest);
  return latest;
}

function isEqual(a: readonly unknown[], b: readonly unknown[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function createContext(self: NodeRecord, config: MeshConfig): Context {
  const context: Context = {
    self,
    config,
    devices: planDevices(self, config),
    families: familiesOf(self.endpoints),
    ownClaims: claimsOf(self),
    ownKeys: new Set(self.generations.map(({ publicKey }) => publicKey)),
    clusterRanges: config.clusterPrefixes.map(rangeOf),
    nodeRanges: config.nodePrefixes.map(rangeOf),
    screened: new WeakMap(),
    peers: new WeakMap(),
    index: new ClaimIndex((record) => screen(context, record).claims),
  };
  return context;
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
      name: slot === 0 ? 'sheath0' : 'sheath1',
      generation: generation.number,
      driver: generation.driver,
      port: isWireGuard ? generation.port : 0,
      mtu: config.mtu,
      addresses: deviceAddresses(self.prefixes),
      keepalive: superseded || !isWireGuard ? 0 : config.wireguard.keepalive,
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

/** What of a record's claims is refused whatever the other records say. */
export function screen(context: Context, record: NodeRecord): Screened {
  const known = context.screened.get(record);
  if (known !== undefined) return known;
  const { name: node, uid } = record;
  const refusals: Refusal[] = record.problems.map((problem) => ({ node, uid, ...problem }));
  const claims: Claim[] = [];
  for (const claim of claimsOf(record)) {
    const refusal = claim.kind === 'prefix' ? screenPrefix(context, claim) : screenEndpoint(context, claim);
    if (refusal === undefined) claims.push(claim);
    else refusals.push({ node, uid, ...refusal });
  }
  const screened = { claims: claims.sort(compareClaims), refusals };
  context.screened.set(record, screened);
  return screened;
}

type Reason = Omit<Refusal, 'node' | 'uid'>;

function screenPrefix(context: Context, claim: Claim): Reason | undefined {
  const own = context.ownClaims.find((ours) => overlaps(ours, claim));
  if (own !== undefined)
    return {
      code: 'PREFIX_OWN',
      message: `${claim.text} overlaps ${own.text} of this node; remove it from the prefixes of ${claim.owner.name}`,
      inFavourOf: context.self.name,
    };
  const inside = claimsOf(claim.owner).find((other) => other.kind === 'endpoint' && contains(claim, other));
  if (inside !== undefined)
    return {
      code: 'PREFIX_INVALID',
      message: `${claim.text} holds the node's own address ${inside.text}, which the tunnel itself needs`,
    };
  if (context.nodeRanges.some((range) => overlaps(range, claim)) && !isIn(context.clusterRanges, claim))
    return {
      code: 'PREFIX_INVALID',
      message: `${claim.text} overlaps nodePrefixes, the range of the nodes' own addresses`,
    };
  if (context.clusterRanges.length === 0 || isIn(context.clusterRanges, claim)) return undefined;
  return {
    code: 'PREFIX_INVALID',
    message: `${claim.text} is outside of clusterPrefixes; add its range there if pods have such addresses`,
  };
}

function screenEndpoint(context: Context, claim: Claim): Reason | undefined {
  const { name } = claim.owner;
  const own = context.ownClaims.find((ours) => contains(ours, claim));
  if (own !== undefined)
    return {
      code: 'ENDPOINT_OWN',
      message: `${claim.text} is ${own.kind === 'prefix' ? `in ${own.text}` : 'an address'} of this node; remove it from the endpoints of ${name}`,
      inFavourOf: context.self.name,
    };
  const node = context.nodeRanges.find((range) => contains(range, claim));
  if (node === undefined && context.nodeRanges.length > 0)
    return {
      code: 'ENDPOINT_INVALID',
      message: `${claim.text} is outside of nodePrefixes; add its range there if nodes have such addresses`,
    };
  // Nodes may have a range of their own inside the pods' range: the narrower one is what the administrator meant.
  const pods = context.clusterRanges.find((range) => contains(range, claim));
  if (pods === undefined || (node !== undefined && contains(pods, node))) return undefined;
  return {
    code: 'ENDPOINT_INVALID',
    message: `${claim.text} is inside clusterPrefixes, the range of the pods; a node's own address is needed`,
  };
}

function isIn(ranges: readonly Range[], claim: Range): boolean {
  return ranges.some((range) => contains(range, claim));
}

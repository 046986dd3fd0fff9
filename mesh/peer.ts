/** One record, and which of its claims stand, to one peer of the plan. */
import type { Generation, PublicKey } from '../keys/generation.ts';
import { familyOf } from './address.ts';
import type { Claim, Defeat } from './claims.ts';
import type { BuiltPeer, Context, Remembered } from './context.ts';
import { hostPrefix } from './prefix.ts';
import type { Address, DevicePlan, NodeRecord, PeerLink, PeerPlan, Prefix, Refusal } from './types.ts';

/** What the other records cost this one. */
export interface Losses {
  readonly defeats: readonly Defeat[];
  /** Keys that another Node is tried for, and its name. */
  readonly keys: ReadonlyMap<PublicKey, string>;
}

const NONE: Losses = { defeats: [], keys: new Map() };

/** The same object as before while neither the record nor its losses changed. */
export function buildPeer(context: Context, known: Remembered, losses: Losses = NONE): BuiltPeer {
  const verdict = losses === NONE ? '' : describe(losses);
  if (known.built?.verdict === verdict) return known.built;
  const { peer, refusals } = planPeer(context, known, losses);
  known.built = { verdict, peer, refusals };
  return known.built;
}

function describe({ defeats, keys }: Losses): string {
  const lost = defeats.map(({ claim, winner, rule }) => [claim.text, winner.text, winner.owner.name, rule]);
  return JSON.stringify([lost, ...keys]);
}

function planPeer(context: Context, known: Remembered, losses: Losses): Omit<BuiltPeer, 'verdict'> {
  const { record, refusals } = known;
  const lost = losses.defeats.map(({ claim }) => claim);
  const { addresses, prefixes, allowedIPs } = sortOut(known, lost);
  const { links, refused } = planLinks(context, record, losses.keys);
  const endpoint = chooseEndpoint(context, addresses);
  if (endpoint === undefined) refused.push(refuse(record, withoutEndpoint(context, record, addresses)));
  const lacking = refused.length + lost.length;
  const all = lacking === 0 ? refusals : [...refusals, ...losses.defeats.map(refusalOf), ...refused];
  if (links.length === 0 || endpoint === undefined) return { peer: undefined, refusals: all };
  const { name: node, uid } = record;
  return { peer: { node, uid, links, endpoint, allowedIPs, prefixes, addresses }, refusals: all };
}

type Space = Pick<PeerPlan, 'prefixes' | 'addresses' | 'allowedIPs'>;

/** The claims come sorted, and so do the lists. `map` and spread make arrays with no slack, which thousands of `push` would. */
function sortOut({ claims }: Remembered, lost: readonly Claim[]): Space {
  const addresses: Address[] = [];
  const prefixes: Prefix[] = [];
  const standing = lost.length === 0 ? claims : claims.filter((claim) => !lost.includes(claim));
  const allowedIPs = standing.map((claim) => {
    if (claim.kind === 'endpoint') addresses.push(claim.text);
    else prefixes.push(claim.text);
    return claim.kind === 'endpoint' ? hostPrefix(claim.text) : claim.text;
  });
  return { addresses: [...addresses], prefixes: [...prefixes], allowedIPs };
}

/** Of a family that we have too; IPv4 before IPv6, because its header is the smaller. */
function chooseEndpoint({ families }: Context, addresses: readonly Address[]): Address | undefined {
  return addresses.find((address) => families.includes(familyOf(address)));
}

interface Links {
  readonly links: readonly PeerLink[];
  readonly refused: Refusal[];
}

function planLinks(context: Context, record: NodeRecord, claimed: Losses['keys']): Links {
  const links: PeerLink[] = [];
  const refused: Refusal[] = [];
  for (const generation of record.generations) {
    const { number, publicKey } = generation;
    const winner = claimed.get(publicKey);
    if (context.ownKeys.has(publicKey)) refused.push(refuse(record, ownKey(context, number)));
    else if (winner !== undefined) refused.push(refuse(record, claimedKey(number, publicKey, winner)));
    else {
      const device = context.devices.find((ours) => ours.generation === number);
      if (device?.driver === generation.driver) links.push(planLink(generation, device));
    }
  }
  if (links.length === 0 && refused.length === 0)
    refused.push(refuse(record, withoutGeneration(context, record)));
  return { links: [...links], refused };
}

function planLink(generation: Generation, device: DevicePlan): PeerLink {
  const { number, driver, publicKey } = generation;
  const port = generation.driver === 'wireguard' ? generation.port : 0;
  return { generation: number, device: device.name, driver, publicKey, port };
}

type Reason = Omit<Refusal, 'node' | 'uid'>;

function refuse({ name, uid }: NodeRecord, reason: Reason): Refusal {
  return { node: name, uid, ...reason };
}

function ownKey(context: Context, number: number): Reason {
  return {
    code: 'KEY_OWN',
    message: `generation ${number} has a key of this node; if the disk was cloned, remove that node's state directory`,
    inFavourOf: context.self.name,
  };
}

function claimedKey(number: number, publicKey: PublicKey, winner: string): Reason {
  return {
    code: 'KEY_CLAIMED',
    message: `generation ${number} has the key of ${winner} too; whoever completes a handshake keeps it; if the disk was cloned, remove that node's state directory`,
    inFavourOf: winner,
    publicKey,
  };
}

function withoutGeneration({ devices }: Context, record: NodeRecord): Reason {
  const theirs = record.generations.map(({ number, driver }) => `${number} (${driver})`).join(', ');
  const ours = devices.map(({ generation, driver }) => `${generation} (${driver})`).join(', ');
  const message =
    theirs === ''
      ? 'publishes no key yet; is its agent running?'
      : `has generation ${theirs}, this node has ${ours === '' ? 'none' : ours}; they meet when both agents have moved on`;
  return { code: 'NO_COMMON_GENERATION', message };
}

function withoutEndpoint(context: Context, record: NodeRecord, addresses: readonly Address[]): Reason {
  if (addresses.length > 0)
    return {
      code: 'NO_COMMON_FAMILY',
      message: `is reached at ${addresses.join(', ')}, this node at ${context.self.endpoints.join(', ') || 'no address'}: no family in common`,
    };
  const message =
    record.endpoints.length === 0
      ? 'publishes no endpoint'
      : `none of its endpoints is taken: ${record.endpoints.join(', ')}`;
  return { code: 'ENDPOINT_MISSING', message };
}

function refusalOf({ claim, winner, rule }: Defeat): Refusal {
  const why = {
    vouched: `for which the API server vouches (${winner.kind === 'prefix' ? 'spec.podCIDRs' : 'status.addresses'})`,
    covering: 'and it covers claims of several Nodes',
    proved: 'and that Node answers there',
    older: 'and that Node is the older one',
  }[rule];
  return {
    node: claim.owner.name,
    uid: claim.owner.uid,
    code: claim.kind === 'prefix' ? 'PREFIX_CLAIMED' : 'ENDPOINT_CLAIMED',
    message: `${claim.text} contends with ${winner.text} of ${winner.owner.name}, ${why}`,
    inFavourOf: winner.owner.name,
    ...(claim.kind === 'endpoint' ? { endpoint: claim.text } : {}),
  };
}

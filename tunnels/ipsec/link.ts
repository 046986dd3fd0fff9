/** One link of a peer on one device, as it is wanted: its connection, and what its policies say. */
import type { PublicKey } from '../../keys/generation.ts';
import type { Address, DevicePlan, MeshPlan, PeerPlan, Prefix } from '../../mesh/types.ts';
import { familyOf } from '../netlink/ip.ts';
import { type Connection, connectionOf, interfaceId, requestId, type SlotName } from './connection.ts';
import type { IpsecSettings } from './settings.ts';
import type { Policy } from './xfrm/types.ts';

export interface WantedLink {
  readonly node: string;
  readonly publicKey: PublicKey;
  readonly generation: number;
  /** Of the two ends, the one whose name is lower: both may initiate, but one does. */
  readonly initiates: boolean;
  readonly prefixes: readonly Prefix[];
  readonly slots: readonly [Slot, Slot];
  /** Seconds until this end replaces a session: the end that does not usually initiate leaves the other the time to. */
  readonly lifetime: number;
}

export interface Slot {
  readonly connection: Connection;
  readonly reqid: number;
  readonly local: Address;
  readonly remote: Address;
}

/** Which slot is sent by, and from where to where: what the states in it say, which behind NAT is not what was planned. */
export interface Way {
  readonly reqid: number;
  readonly local: Address;
  readonly remote: Address;
}

/** What all links of a device have in common. */
export interface LinkContext {
  readonly plan: MeshPlan;
  readonly device: DevicePlan;
  readonly ownKey: PublicKey;
  readonly settings: IpsecSettings;
  /** Whether a request id is another link's already. */
  readonly taken: (reqid: number, node: string) => boolean;
}

const LATER = 1.2;

/** undefined: the peer has no link of this driver on this device, or we no address to reach it from. */
export function linkOf(peer: PeerPlan, context: LinkContext): WantedLink | undefined {
  const { plan, device, ownKey, settings } = context;
  const link = peer.links.find((one) => one.driver === 'ipsec' && one.generation === device.generation);
  const local = plan.ownAddresses.find((address) => familyOf(address) === familyOf(peer.endpoint));
  if (link === undefined || local === undefined) return undefined;
  const first = freeId(peer, requestId(link.generation, peer.node, link.publicKey), context);
  const mark = plan.routing.fwmark;
  const slot = (name: SlotName, reqid: number): Slot => {
    const ends = { self: plan.self, ownKey, local, peer, link };
    const connection = connectionOf({ ...ends, slot: name, mark, reqid, settings });
    return { connection, reqid, local, remote: peer.endpoint };
  };
  const { child, jitter } = settings.lifetimes;
  const initiates = plan.self < peer.node;
  return {
    node: peer.node,
    publicKey: link.publicKey,
    generation: link.generation,
    initiates,
    prefixes: peer.allowedIPs,
    slots: [slot('a', first), slot('b', first + 1)],
    // Each link at a moment of its own, the same each time; and the other end after the last of them, or both might begin at once.
    lifetime: initiates ? child * (1 - (jitter * (first % 1024)) / 1024) : child * LATER,
  };
}

/** Two peers may meet in 30 bits; then one takes the next. */
function freeId(peer: PeerPlan, first: number, { taken }: LinkContext): number {
  let reqid = first;
  while (taken(reqid, peer.node)) reqid = ((reqid + 2) | 0x40000000) & 0x7ffffffe;
  return reqid;
}

/** What is accepted first. Nothing is sent as long as there is no way. */
export function policiesOf({ prefixes, generation, slots }: WantedLink, way: Way | undefined): Policy[] {
  const [{ local, remote }] = slots;
  const id = interfaceId(generation);
  const accepted = slots.map(({ reqid }) => reqid);
  return prefixes.flatMap((prefix): Policy[] => {
    const from = { prefix, interfaceId: id, reqids: accepted, local, remote };
    const to =
      way === undefined
        ? []
        : [{ ...way, direction: 'out' as const, prefix, interfaceId: id, reqids: [way.reqid] }];
    return [{ ...from, direction: 'in' }, { ...from, direction: 'fwd' }, ...to];
  });
}

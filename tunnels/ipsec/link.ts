/** One link of a peer on one device, as it is wanted: its connection, and what its policies say. */
import type { PublicKey } from '../../keys/generation.ts';
import type { Address, DevicePlan, MeshPlan, PeerPlan, Prefix } from '../../mesh/types.ts';
import { familyOf } from '../netlink/ip.ts';
import { type Connection, connectionOf, interfaceId, requestId } from './connection.ts';
import type { IpsecSettings } from './settings.ts';
import type { Direction, Policy } from './xfrm/types.ts';

export interface WantedLink {
  readonly node: string;
  readonly publicKey: PublicKey;
  readonly generation: number;
  readonly reqid: number;
  readonly local: Address;
  readonly remote: Address;
  readonly prefixes: readonly Prefix[];
  readonly connection: Connection;
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

/** undefined: the peer has no link of this driver on this device, or we no address to reach it from. */
export function linkOf(peer: PeerPlan, context: LinkContext): WantedLink | undefined {
  const { plan, device, ownKey, settings } = context;
  const link = peer.links.find((one) => one.driver === 'ipsec' && one.generation === device.generation);
  const local = plan.ownAddresses.find((address) => familyOf(address) === familyOf(peer.endpoint));
  if (link === undefined || local === undefined) return undefined;
  const reqid = freeId(peer, requestId(link.generation, peer.node, link.publicKey), context);
  const mark = plan.routing.fwmark;
  return {
    node: peer.node,
    publicKey: link.publicKey,
    generation: link.generation,
    reqid,
    local,
    remote: peer.endpoint,
    prefixes: peer.allowedIPs,
    connection: connectionOf({ self: plan.self, ownKey, local, peer, link, mark, reqid, settings }),
  };
}

/** Two peers may meet in 31 bits; then one takes the next. */
function freeId(peer: PeerPlan, first: number, { taken }: LinkContext): number {
  let reqid = first;
  while (taken(reqid, peer.node)) reqid = ((reqid + 1) | 0x40000000) & 0x7fffffff;
  return reqid;
}

const DIRECTIONS = ['in', 'fwd', 'out'] as const satisfies readonly Direction[];

/** What is accepted first. */
export function policiesOf({ prefixes, generation, reqid, local, remote }: WantedLink): Policy[] {
  return prefixes.flatMap((prefix) =>
    DIRECTIONS.map((direction) => ({
      direction,
      prefix,
      interfaceId: interfaceId(generation),
      reqid,
      local,
      remote,
    })),
  );
}

/** Links whose packets are too small for a tunnel that carries IPv6. */
import { espPacket, IPV6_MINIMUM_MTU, WIREGUARD_OVERHEAD } from '../../mesh/mtu.ts';
import { espSizesOf } from '../ipsec/esp-sizes.ts';
import type { Netlink } from '../netlink/types.ts';

const MAIN = 254;

/** MTU of a link over which tunnels carry IPv6, whatever is outside. */
export const WIREGUARD_UNDERLAY = IPV6_MINIMUM_MTU + WIREGUARD_OVERHEAD[6];

export const espUnderlay = (espProposals: readonly string[]): number =>
  Math.max(...espSizesOf(espProposals).map((sizes) => espPacket(IPV6_MINIMUM_MTU, 6, sizes)));

/** Of the links with a default route: those the others are reached by, most likely. */
export async function smallUnderlays(netlink: Netlink, needed: number): Promise<readonly string[]> {
  const routes = await netlink.routes((table) => table === MAIN);
  const ways = new Set(
    routes.filter(({ prefix }) => prefix === '0.0.0.0/0' || prefix === '::/0').map(({ link }) => link),
  );
  const links = await netlink.links();
  return links
    .filter((link) => ways.has(link.index) && link.mtu < needed)
    .map(
      ({ name, mtu }) =>
        `the MTU of ${name} is ${mtu}, and a tunnel that carries IPv6 needs ${needed}; raise it`,
    );
}

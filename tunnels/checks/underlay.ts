/** Links whose packets are too small for a tunnel that carries IPv6. */
import { IPV6_MINIMUM_MTU, WIREGUARD_OVERHEAD } from '../../mesh/mtu.ts';
import type { Netlink } from '../netlink/types.ts';

const SMALLEST_UNDERLAY = IPV6_MINIMUM_MTU + WIREGUARD_OVERHEAD[6];
const MAIN = 254;

/** Of the links with a default route: those the others are reached by, most likely. */
export async function smallUnderlays(netlink: Netlink): Promise<readonly string[]> {
  const routes = await netlink.routes((table) => table === MAIN);
  const ways = new Set(
    routes.filter(({ prefix }) => prefix === '0.0.0.0/0' || prefix === '::/0').map(({ link }) => link),
  );
  const links = await netlink.links();
  return links
    .filter((link) => ways.has(link.index) && link.mtu < SMALLEST_UNDERLAY)
    .map(
      ({ name, mtu }) =>
        `wireguard: the MTU of ${name} is ${mtu}, and a tunnel that carries IPv6 needs ${SMALLEST_UNDERLAY}; raise it`,
    );
}

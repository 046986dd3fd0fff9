/** Links whose packets are too small for a tunnel that carries IPv6. */
import { IPV6_MINIMUM_MTU, WIREGUARD_OVERHEAD } from '../../mesh/mtu.ts';
import { DEVICE_NAMES, isOurs } from '../devices/devices.ts';
import type { Link, Netlink } from '../netlink/types.ts';

export const SMALLEST_UNDERLAY = IPV6_MINIMUM_MTU + WIREGUARD_OVERHEAD[6];
const MAIN = 254;

/** Of the links with a default route: those the others are reached by, most likely. */
export async function smallUnderlays(netlink: Netlink): Promise<readonly Link[]> {
  const routes = await netlink.routes((table) => table === MAIN);
  const ways = new Set(
    routes.filter(({ prefix }) => prefix === '0.0.0.0/0' || prefix === '::/0').map(({ link }) => link),
  );
  return (await netlink.links()).filter((link) => ways.has(link.index) && link.mtu < SMALLEST_UNDERLAY);
}

/** Slots whose device is there and ours: it has their port. */
export async function ourSlots(netlink: Netlink): Promise<ReadonlySet<number>> {
  const links = (await netlink.links()).filter(isOurs);
  return new Set(
    DEVICE_NAMES.flatMap((name, slot) => (links.some((link) => link.name === name) ? [slot] : [])),
  );
}

/** Makes connected IPv6 sockets look for their route again. */
import type { Kernel } from '../kernel.ts';

/** A unique local address (RFC 4193) of nobody; it is ours for a few microseconds. */
export const FLUSH_ADDRESS = 'fdb1:5ea7:f1a5::1/128';

/**
 * A connected IPv6 socket keeps the route it found, and a new rule or route alone does not make the kernel distrust it (IPv4
 * does). An address that comes or goes does: it raises the namespace's generation of routes (rt_genid_bump_ipv6 in
 * net/ipv6/addrconf.c). Where IPv6 is off, the kernel refuses, and there is nothing to flush.
 */
export async function flushCachedRoutes(kernel: Kernel, index: number): Promise<void> {
  await kernel.netlink.write([
    { type: 'addAddress', index, address: FLUSH_ADDRESS },
    { type: 'removeAddress', index, address: FLUSH_ADDRESS },
  ]);
}

/** Which UDP ports of this network namespace are taken (proc_net_udp(5), and its IPv6 twin). */
import { readFile } from 'node:fs/promises';
import { DEVICE_NAMES, isOurs } from '../devices/devices.ts';
import type { Netlink } from '../netlink/types.ts';

/** The ports of both slots, but for one that our own device has. @param port of slot 0 */
export async function portsTaken(port: number, netlink: Netlink): Promise<readonly string[]> {
  const ours = new Set((await netlink.links()).filter(isOurs).map(({ name }) => name));
  const taken = await takenUdpPorts();
  const others = DEVICE_NAMES.map((name, slot) => ({ name, port: port + slot })).filter(
    (one) => !ours.has(one.name) && taken.has(one.port),
  );
  return others.map(
    (one) =>
      `UDP port ${one.port} is taken by another program; free it, or choose another with --wireguard-port`,
  );
}

/** @param root `/proc` */
export async function takenUdpPorts(root = '/proc'): Promise<ReadonlySet<number>> {
  const taken = new Set<number>();
  for (const file of ['udp', 'udp6']) {
    // No IPv6, no file.
    const text = await readFile(`${root}/self/net/${file}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const local = /^\s*\d+:\s+[0-9A-F]+:([0-9A-F]{4})\s/.exec(line)?.[1];
      if (local !== undefined) taken.add(Number.parseInt(local, 16));
    }
  }
  return taken;
}

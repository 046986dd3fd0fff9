/** Which UDP ports of this network namespace are taken (proc_net_udp(5), and its IPv6 twin). */
import { readFile } from 'node:fs/promises';

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

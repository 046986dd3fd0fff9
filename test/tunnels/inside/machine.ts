/**
 * The network namespace that the test is in, as a node of a cluster: an underlay with addresses of both families, and nothing
 * of ours. Run inside `unshare --net`, by `namespace.ts`.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDataplane } from '../../../tunnels/create.ts';
import type { Dataplane } from '../../../tunnels/dataplane.ts';
import { openNetlink } from '../../../tunnels/netlink/rtnetlink.ts';
import { runProgram } from '../../../tunnels/parts.ts';
import type { DataplaneOptions } from '../../../tunnels/ports.ts';
import { ipsec } from './drivers/ipsec.ts';
import { wireguard } from './drivers/wireguard.ts';
import { folder, ip, ipQuietly, userspace } from './place.ts';

export { ip, ipQuietly, socketDir, userspace } from './place.ts';

/** The driver that the suite is about. */
export const driver = process.env.SHEATH_TEST_DRIVER === 'ipsec' ? ipsec : wireguard;

export const RP_FILTER = '/proc/sys/net/ipv4/conf/under0/rp_filter';

/** Ready when the kernel has the routes of its addresses, which come after the link's carrier. */
export async function makeUnderlay(): Promise<void> {
  ip('link set lo up');
  ip('link add under0 type veth peer name under1');
  ip('link set under1 up');
  ip('link set under0 up');
  ip('addr add 192.0.2.1/24 dev under0');
  ip('addr add 2001:db8::1/64 dev under0 nodad');
  writeFileSync(RP_FILTER, '1');
  const ready = () =>
    ip('-6 route show table local').includes('local 2001:db8::1') && ip('-6 route').includes('2001:db8::/64');
  for (let tries = 0; tries < 200 && !ready(); tries++) await sleep(10);
}

export function removeUnderlay(): void {
  ipQuietly('link del under0');
}

/** All that the dataplane may touch, as the machine's own programs print it. */
export function snapshot(): string {
  const links = ip('-o link')
    .split('\n')
    .map((line) => /^\d+: ([^:]+):.* mtu (\d+)/.exec(line)?.slice(1).join(' ') ?? '')
    .filter((line) => line !== '');
  const lines = (text: string) => text.trim().split('\n').sort();
  return [
    ...links.sort(),
    ...lines(ip('rule')),
    ...lines(ip('-6 rule')),
    // The kernel's own routes of link-local addresses come when it is ready for them.
    ...lines(ip('-4 route show table all')),
    ...lines(ip('-6 route show table all')).filter((line) => !/fe80|ff00/.test(line)),
    execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }),
    ...(driver.name === 'ipsec' ? [ip('xfrm policy'), ip('xfrm state')] : []),
    `rp_filter ${readFileSync(RP_FILTER, 'utf8').trim()}`,
  ].join('\n');
}

export interface Machine extends Dataplane {
  /** Writes to the kernel so far: netlink messages, and transactions of nft. */
  readonly writes: () => number;
}

export const stateDir = (name: string) => join(folder, name);

export async function open(more: Partial<DataplaneOptions> = {}): Promise<Machine> {
  let writes = 0;
  const dataplane = await createDataplane({
    stateDir: stateDir('state'),
    userspace: userspace ? 'always' : 'never',
    ...driver.options,
    quiet: 0,
    netlink: () => {
      const netlink = openNetlink();
      return {
        ...netlink,
        write: (list) => {
          writes += list.length;
          return netlink.write(list);
        },
      };
    },
    run: (program, args, options) => {
      if (args.includes('-f')) writes++;
      return runProgram(program, args, options);
    },
    ...more,
  });
  return Object.assign(Object.create(dataplane), {
    set: dataplane.set.bind(dataplane),
    preview: dataplane.preview.bind(dataplane),
    observe: dataplane.observe.bind(dataplane),
    watch: dataplane.watch.bind(dataplane),
    close: dataplane.close.bind(dataplane),
    writes: () => writes,
  }) as Machine;
}

/** What this machine can do for a mesh, found without changing it: for error messages, and for what the agent publishes. */
import { access, constants, readFile } from 'node:fs/promises';
import { hasKernelWireGuard } from 'wireguard-tools-wrapper';
import type { MeshConfig } from '../mesh/types.ts';
import { doorRefused } from './checks/door.ts';
import { firewallsBefore } from './checks/firewalls.ts';
import { foreignThings } from './checks/foreign.ts';
import { portsTaken } from './checks/udp-ports.ts';
import { smallUnderlays } from './checks/underlay.ts';
import { openNetlink } from './netlink/rtnetlink.ts';
import { runProgram } from './parts.ts';
import type { DataplaneOptions } from './ports.ts';

export interface Preflight {
  /** CAP_NET_ADMIN in the network namespace this process is in. */
  readonly netAdmin: boolean;
  readonly kernelWireGuard: boolean;
  /** The version that wireguard-go tells; undefined: it is not installed. */
  readonly wireguardGo: string | undefined;
  /** /dev/net/tun, which wireguard-go needs. */
  readonly tun: boolean;
  /** The version that nft tells; undefined: it is not installed. */
  readonly nft: string | undefined;
  /**
   * What follows, each with the way out: `wireguard: ...` or `strict: ...` for what cannot be; `firewall: ...` for what may be in the way.
   * Empty: all is well.
   */
  readonly cannot: readonly string[];
}

export interface PreflightOptions
  extends Pick<DataplaneOptions, 'run' | 'nft' | 'wireguardGo' | 'userspace' | 'netlink'> {
  /** What the mesh would use on this machine. Absent: only what is installed is looked at. */
  readonly mesh?: Pick<MeshConfig, 'routing' | 'wireguard'>;
}

/** Bit of CAP_NET_ADMIN in the masks of /proc/PID/status (linux/capability.h). */
const CAP_NET_ADMIN = 12n;

export async function preflight(options: PreflightOptions): Promise<Preflight> {
  const run = options.run ?? runProgram;
  const version = (program: string) =>
    run(program, ['--version']).then(
      (text) => text.split('\n')[0]?.trim() ?? '',
      () => undefined,
    );
  const found = {
    netAdmin: await hasNetAdmin(),
    kernelWireGuard: await hasKernelWireGuard(),
    wireguardGo: await version(options.wireguardGo ?? 'wireguard-go'),
    tun: await access('/dev/net/tun', constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ),
    nft: await version(options.nft ?? 'nft'),
  };
  const there =
    found.netAdmin && options.mesh !== undefined
      ? await inTheWay(options, options.mesh, found.nft !== undefined)
      : NONE;
  return { ...found, cannot: [...cannot(found, options.userspace), ...there] };
}

const NONE: readonly string[] = [];

/** What other programs have of what the mesh needs; what cannot be looked at is not held against the machine. */
async function inTheWay(
  options: PreflightOptions,
  { routing, wireguard }: Pick<MeshConfig, 'routing' | 'wireguard'>,
  strict: boolean,
): Promise<readonly string[]> {
  const netlink = (options.netlink ?? openNetlink)();
  const programs = { run: options.run ?? runProgram, nft: options.nft ?? 'nft' };
  try {
    const found = await Promise.allSettled([
      portsTaken(wireguard.port, netlink),
      foreignThings({ ...options, stateDir: NOWHERE }, routing),
      smallUnderlays(netlink),
      strict ? doorRefused(routing, programs) : [],
      firewallsBefore(wireguard.port, programs),
    ]);
    return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  } finally {
    netlink.close();
  }
}

/** Nothing is kept, and nothing is put back. */
const NOWHERE = '/nonexistent';

function cannot(found: Omit<Preflight, 'cannot'>, policy: PreflightOptions['userspace']): string[] {
  const userspace = policy !== 'never' && found.wireguardGo !== undefined && found.tun;
  const kernel = policy !== 'always' && found.kernelWireGuard;
  return [
    ...(found.netAdmin ? [] : ['wireguard: no CAP_NET_ADMIN; run as root, or give the pod that capability']),
    ...(kernel || userspace ? [] : [`wireguard: ${missing(found, policy)}`]),
    ...(found.nft === undefined
      ? [
          'wireguard: no nft, which keeps connections through the tunnel together; install nftables',
          'strict: no nft, which drops what has no tunnel; install nftables',
        ]
      : []),
  ];
}

function missing(found: Omit<Preflight, 'cannot'>, policy: PreflightOptions['userspace']): string {
  if (policy === 'never') {
    return 'the kernel has no WireGuard, and wireguard-go is switched off; load the module, or use --wireguard-userspace auto';
  }
  const kernel = policy === 'always' ? '' : 'the kernel has no WireGuard, and ';
  return found.wireguardGo === undefined
    ? `${kernel}wireguard-go is not installed`
    : `${kernel}wireguard-go needs /dev/net/tun, which cannot be opened`;
}

async function hasNetAdmin(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8');
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}

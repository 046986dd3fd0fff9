/** What this machine can do for a mesh, found without changing it: for error messages, and for what the agent publishes. */
import { access, constants, readFile } from 'node:fs/promises';
import { hasKernelWireGuard } from 'wireguard-tools-wrapper';
import type { IpsecConfig } from '../mesh/config.ts';
import type { MeshConfig } from '../mesh/types.ts';
import { doorRefused } from './checks/door.ts';
import { firewallsBefore, IPSEC_INCOMING, wireguardIncoming } from './checks/firewalls.ts';
import { foreignThings } from './checks/foreign.ts';
import { portsTaken, takenUdpPorts } from './checks/udp-ports.ts';
import { espUnderlay, smallUnderlays, WIREGUARD_UNDERLAY } from './checks/underlay.ts';
import { ipsecFindings } from './ipsec/preflight.ts';
import { openNetlink } from './netlink/rtnetlink.ts';
import type { Netlink } from './netlink/types.ts';
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
   * What follows, each with the way out: `wireguard: ...`, `ipsec: ...` or `strict: ...` for what cannot be; `firewall: ...` for what may be in the way.
   * Empty: all is well.
   */
  readonly cannot: readonly string[];
}

export interface PreflightOptions
  extends Pick<DataplaneOptions, 'run' | 'nft' | 'wireguardGo' | 'userspace' | 'netlink' | 'ipsec'> {
  /** What the mesh would use on this machine. Absent: only what is installed is looked at; without `ipsec`, nothing that only IPsec needs. */
  readonly mesh?: Pick<MeshConfig, 'routing' | 'wireguard'> &
    Partial<Pick<MeshConfig, 'ipsec' | 'encryption'>>;
}

type Mesh = NonNullable<PreflightOptions['mesh']>;

/** Bits in the masks of /proc/PID/status (linux/capability.h). */
const CAPABILITY = { NET_BIND_SERVICE: 10n, NET_ADMIN: 12n } as const;

export async function preflight(options: PreflightOptions): Promise<Preflight> {
  const run = options.run ?? runProgram;
  const version = (program: string) =>
    run(program, ['--version']).then(
      (text) => text.split('\n')[0]?.trim() ?? '',
      () => undefined,
    );
  const found = {
    netAdmin: await has('NET_ADMIN'),
    kernelWireGuard: await hasKernelWireGuard(),
    wireguardGo: await version(options.wireguardGo ?? 'wireguard-go'),
    tun: await access('/dev/net/tun', constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ),
    nft: await version(options.nft ?? 'nft'),
  };
  const { mesh } = options;
  const there =
    found.netAdmin && mesh !== undefined ? await inTheWay(options, mesh, found.nft !== undefined) : NONE;
  const lacking = cannot(found, options.userspace);
  const ipsec = mesh?.ipsec === undefined ? [] : await ipsecLacking(found, mesh.ipsec);
  return { ...found, cannot: [...lacking, ...ipsec, ...there] };
}

const NONE: readonly string[] = [];

/** What other programs have of what the mesh needs; what cannot be looked at is not held against the machine. */
async function inTheWay(options: PreflightOptions, mesh: Mesh, strict: boolean): Promise<readonly string[]> {
  const netlink = (options.netlink ?? openNetlink)();
  const programs = { run: options.run ?? runProgram, nft: options.nft ?? 'nft' };
  const { routing, wireguard, ipsec } = mesh;
  const drivers = ipsec === undefined ? ['wireguard'] : ['wireguard', 'ipsec'];
  try {
    const foreign = foreignThings({ ...options, stateDir: NOWHERE }, routing);
    const found = await Promise.allSettled([
      said(['wireguard'], portsTaken(wireguard.port, netlink)),
      said(drivers, foreign),
      said(['wireguard'], smallUnderlays(netlink, WIREGUARD_UNDERLAY)),
      ipsec === undefined ? [] : said(['ipsec'], forIpsec(options, ipsec, netlink)),
      strict ? doorRefused(routing, { ...programs, ipsec: ipsec !== undefined }) : [],
      firewallsBefore(
        mesh.encryption === 'ipsec' ? IPSEC_INCOMING : wireguardIncoming(wireguard.port),
        programs,
      ),
    ]);
    return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  } finally {
    netlink.close();
  }
}

async function forIpsec(
  { ipsec = {} }: PreflightOptions,
  config: IpsecConfig,
  netlink: Netlink,
): Promise<readonly string[]> {
  const { folder, program } = ipsec;
  const found = await ipsecFindings({
    config,
    takenPorts: takenUdpPorts,
    ...(folder === undefined ? {} : { folder }),
    ...(program === undefined ? {} : { program }),
  });
  return [...found, ...(await smallUnderlays(netlink, espUnderlay(config.espProposals)))];
}

/** Each for each of these drivers: `wireguard: ...`. */
async function said(
  drivers: readonly string[],
  findings: Promise<readonly string[]>,
): Promise<readonly string[]> {
  const all = await findings;
  return drivers.flatMap((driver) => all.map((text) => `${driver}: ${text}`));
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

async function ipsecLacking(
  found: Omit<Preflight, 'cannot'>,
  { vici }: Pick<IpsecConfig, 'vici'>,
): Promise<string[]> {
  const binds = vici !== undefined || (await has('NET_BIND_SERVICE'));
  return [
    ...(found.netAdmin ? [] : ['ipsec: no CAP_NET_ADMIN; run as root, or give the pod that capability']),
    ...(binds
      ? []
      : [
          'ipsec: no CAP_NET_BIND_SERVICE, without which charon has no UDP port 500; give the pod that capability, or name a charon of the host with --ipsec-vici',
        ]),
    ...(found.nft === undefined
      ? ['ipsec: no nft, which keeps connections through the tunnel together; install nftables']
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

async function has(capability: keyof typeof CAPABILITY): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8');
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> CAPABILITY[capability]) & 1n) === 1n;
}

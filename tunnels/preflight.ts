/** What this machine can do for a mesh, found without changing it: for error messages, and for what the agent publishes. */
import { access, constants, readFile } from 'node:fs/promises';
import { hasKernelWireGuard } from 'wireguard-tools-wrapper';
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
  /** What follows, each with the way out: `wireguard: ...`. Empty: all is well. */
  readonly cannot: readonly string[];
}

type PreflightOptions = Pick<DataplaneOptions, 'run' | 'nft' | 'wireguardGo' | 'userspace'>;

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
  return { ...found, cannot: cannot(found, options.userspace) };
}

function cannot(found: Omit<Preflight, 'cannot'>, policy: PreflightOptions['userspace']): string[] {
  const userspace = policy !== 'never' && found.wireguardGo !== undefined && found.tun;
  const kernel = policy !== 'always' && found.kernelWireGuard;
  return [
    ...(found.netAdmin ? [] : ['wireguard: no CAP_NET_ADMIN; run as root, or give the pod that capability']),
    ...(kernel || userspace ? [] : [`wireguard: ${missing(found, policy)}`]),
    ...(found.nft === undefined ? ['firewall: no nft; install nftables'] : []),
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

/** Puts the parts together: the real ones, or the ones of `preview`, which read the kernel and write nowhere. */
import { execFile } from 'node:child_process';
import { Devices } from './devices/devices.ts';
import type { TunnelDriver } from './driver.ts';
import { combineDrivers } from './drivers.ts';
import { dryNetlink, dryWireGuard } from './dry.ts';
import { BootDoor } from './firewall/boot.ts';
import { Firewall } from './firewall/firewall.ts';
import { Keep } from './firewall/keep.ts';
import { createNft } from './firewall/nft.ts';
import { dryNftShell, startNftShell } from './firewall/nft-shell.ts';
import { CHARON } from './ipsec/charon.ts';
import { ChosenDaemon } from './ipsec/chosen-daemon.ts';
import { createIpsecDriver } from './ipsec/driver.ts';
import { dryDaemon, dryXfrm } from './ipsec/dry.ts';
import { alertSocketIn } from './ipsec/strongswan-conf.ts';
import { Kernel } from './kernel.ts';
import { openNftables } from './netlink/nftables.ts';
import { openNetlink } from './netlink/rtnetlink.ts';
import type { DataplaneOptions, Runner } from './ports.ts';
import { Routes } from './routing/routes.ts';
import { Rules } from './routing/rules.ts';
import type { Parts } from './set.ts';
import { PROC_SYS, Sysctls } from './sysctl.ts';
import { createWireGuardDriver, openWireGuard } from './wireguard/driver.ts';
import { DEFAULT_SOCKET_DIR } from './wireguard/userspace.ts';

/** Milliseconds a program may take: nft with thousands of elements is done long before. */
const PROGRAM_TIMEOUT = 30_000;

/** How long a device that is withdrawn altogether must be silent, in milliseconds. */
export const QUIET = 5000;

export function createParts(options: DataplaneOptions, { dry = false } = {}): Parts {
  const netlink = options.netlink?.() ?? openNetlink();
  const kernel = new Kernel(dry ? dryNetlink(netlink) : netlink);
  const run = options.run ?? runProgram;
  const now = options.now ?? Date.now;
  const steady = options.steady ?? (() => performance.now());
  const socketDir = options.socketDir ?? DEFAULT_SOCKET_DIR;
  const procSys = options.procSys ?? PROC_SYS;
  const wireguard = createWireGuardDriver({
    kernel,
    run: dry ? async () => '' : run,
    now,
    socketDir,
    procSys,
    // Read anew for each device: the configuration may change while we run.
    get policy() {
      return options.userspace;
    },
    wireguardGo: options.wireguardGo ?? 'wireguard-go',
    open: (implementation) => {
      const wireguard = openWireGuard(implementation, socketDir);
      return dry ? dryWireGuard(wireguard) : wireguard;
    },
  });
  const ipsec = ipsecDriver(options, { kernel, now, steady, dry });
  const driver = combineDrivers({ wireguard, ipsec });
  return {
    kernel,
    driver,
    devices: new Devices({ kernel, driver, steady, quiet: options.quiet ?? QUIET }),
    routes: new Routes(kernel),
    rules: new Rules(kernel),
    firewall: new Firewall({
      kernel,
      nft: createNft({ run, nft: options.nft ?? 'nft', dry }),
      keep: new Keep(() => (dry ? dryNftShell : startNftShell(options.nft ?? 'nft'))),
      boot: new BootDoor(options.stateDir, { dry }),
      nftables: openNftables(),
      stateDir: options.stateDir,
      now,
      steady,
      dry,
    }),
    sysctls: new Sysctls({ stateDir: options.stateDir, root: procSys, dry }),
  };
}

interface IpsecContext {
  readonly kernel: Kernel;
  readonly now: () => number;
  readonly steady: () => number;
  readonly dry: boolean;
}

function ipsecDriver({ ipsec = {} }: DataplaneOptions, context: IpsecContext): TunnelDriver {
  const { folder = CHARON.folder, program = CHARON.program, settings, log, onRefusal } = ipsec;
  const { steady } = context;
  const daemon = new ChosenDaemon({ vici: () => ipsec.vici, folder, program, steady });
  return createIpsecDriver({
    ...context,
    daemon: context.dry ? dryDaemon(daemon) : daemon,
    ...(context.dry ? { xfrm: dryXfrm } : {}),
    ...(settings === undefined ? {} : { settings }),
    ...(log === undefined ? {} : { log }),
    ...(context.dry ? { sweeps: false } : { alerts: alertSocketIn(folder) }),
    ...(onRefusal === undefined ? {} : { onRefusal }),
  });
}

export const runProgram: Runner = (program, args, options = {}) =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    const timeout = options.timeout ?? PROGRAM_TIMEOUT;
    // Nobody asks twice: who hangs may not listen to SIGTERM either.
    const limits = { timeout, killSignal: 'SIGKILL', maxBuffer: 256 * 1024 * 1024 } as const;
    execFile(program, [...args], { env, ...limits }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.killed === true && error.signal === 'SIGKILL') reject(timedOut(program, timeout, error));
      else reject(Object.assign(error, { message: `${program}: ${complaint(stderr) ?? error.message}` }));
    });
  });

function timedOut(program: string, timeout: number, cause: Error): Error {
  const message = `${program}: killed, for it did not end within ${timeout / 1000} s; run it by hand to see what it waits for`;
  return Object.assign(new Error(message, { cause }), { code: 'ETIMEDOUT' });
}

/** The line that says what is wrong: nft repeats the command after it, wireguard-go draws a banner before it. */
function complaint(stderr: string): string | undefined {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.find((line) => /error|not permitted/i.test(line)) ?? lines.at(-1);
}

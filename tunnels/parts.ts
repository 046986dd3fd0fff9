/** Puts the parts together: the real ones, or the ones of `preview`, which read the kernel and write nowhere. */
import { execFile } from 'node:child_process';
import { Devices } from './devices/devices.ts';
import { dryNetlink, dryWireGuard } from './dry.ts';
import { Firewall } from './firewall/firewall.ts';
import { createNft } from './firewall/nft.ts';
import { Kernel } from './kernel.ts';
import { openNetlink } from './netlink/rtnetlink.ts';
import type { DataplaneOptions, Runner } from './ports.ts';
import { Routes } from './routing/routes.ts';
import { Rules } from './routing/rules.ts';
import type { Parts } from './set.ts';
import { Sysctls } from './sysctl.ts';
import { createWireGuardDriver, openWireGuard } from './wireguard/driver.ts';
import { DEFAULT_SOCKET_DIR } from './wireguard/userspace.ts';

/** How long a device that is withdrawn altogether must be silent, in milliseconds. */
export const QUIET = 5000;

export function createParts(options: DataplaneOptions, { dry = false } = {}): Parts {
  const netlink = options.netlink?.() ?? openNetlink();
  const kernel = new Kernel(dry ? dryNetlink(netlink) : netlink);
  const run = options.run ?? runProgram;
  const now = options.now ?? Date.now;
  const socketDir = options.socketDir ?? DEFAULT_SOCKET_DIR;
  const driver = createWireGuardDriver({
    kernel,
    run: dry ? async () => '' : run,
    now,
    socketDir,
    policy: options.userspace,
    wireguardGo: options.wireguardGo ?? 'wireguard-go',
    open: (implementation) => {
      const wireguard = openWireGuard(implementation, socketDir);
      return dry ? dryWireGuard(wireguard) : wireguard;
    },
  });
  return {
    kernel,
    driver,
    devices: new Devices({ kernel, driver, now, quiet: options.quiet ?? QUIET }),
    routes: new Routes(kernel),
    rules: new Rules(kernel),
    firewall: new Firewall(kernel, createNft({ run, nft: options.nft ?? 'nft', dry })),
    sysctls: new Sysctls({ stateDir: options.stateDir, dry }),
  };
}

export const runProgram: Runner = (program, args, options = {}) =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    execFile(program, [...args], { env, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(Object.assign(error, { message: `${program}: ${complaint(stderr) ?? error.message}` }));
    });
  });

/** The line that says what is wrong: nft repeats the command after it, wireguard-go draws a banner before it. */
function complaint(stderr: string): string | undefined {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.find((line) => /error|not permitted/i.test(line)) ?? lines.at(-1);
}

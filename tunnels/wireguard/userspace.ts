/** wireguard-go: WireGuard where the kernel has none. It outlives whoever starts it, so that a restart of ours loses nothing. */
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataplaneFailure } from '../failure.ts';
import type { Runner } from '../ports.ts';

/** linux/if_link.h */
const IN6_ADDR_GEN_MODE_NONE = '1';

/** The only folder that wireguard-go knows. */
export const DEFAULT_SOCKET_DIR = '/var/run/wireguard';

/** Milliseconds that a predecessor may take to end, after its device was removed. */
const LAST_BREATH = 3_000;

export interface UserspaceOptions {
  readonly run: Runner;
  readonly wireguardGo: string;
  readonly socketDir: string;
  readonly procSys: string;
}

/**
 * Starts it for one device, and returns when the device and its socket are there: it puts itself into the background.
 * Its socket folder is shared by all network namespaces; another one is laid over it in a mount namespace of its own.
 */
export async function startUserspace(device: string, options: UserspaceOptions): Promise<void> {
  await untilSilent(join(options.socketDir, `${device}.sock`));
  await start(device, options);
  // As the kernel's own device is: without a link-local address nobody solicits routers on it, and silence is silence.
  const mode = join(options.procSys, 'net/ipv6/conf', device, 'addr_gen_mode');
  await writeFile(mode, IN6_ADDR_GEN_MODE_NONE).catch(() => undefined);
}

async function start(device: string, options: UserspaceOptions): Promise<void> {
  const { run, wireguardGo, socketDir } = options;
  // Without it, it refuses to run where the kernel could do better; that is ours to judge.
  const env = { WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1' };
  try {
    if (socketDir === DEFAULT_SOCKET_DIR) {
      await run(wireguardGo, [device], { env });
      return;
    }
    const script = 'mkdir -p -m 0700 "$1" "$2" && mount --bind "$1" "$2" && exec "$3" "$4"';
    await run(
      'unshare',
      ['--mount', 'sh', '-c', script, 'sh', socketDir, DEFAULT_SOCKET_DIR, wireguardGo, device],
      { env },
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataplaneFailure({
      part: 'device',
      code: 'USERSPACE_FAILED',
      message: `device ${device}: the kernel has no WireGuard, and wireguard-go did not start (${reason}); install wireguard-go and make /dev/net/tun available`,
      cause,
    });
  }
}

/** A predecessor ends some time after its device, and until then its socket keeps another from starting ("unix socket in use"). */
async function untilSilent(socket: string): Promise<void> {
  const deadline = performance.now() + LAST_BREATH;
  while ((await answers(socket)) && performance.now() < deadline) await sleep(20);
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('error', () => resolve(false));
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
  });
}

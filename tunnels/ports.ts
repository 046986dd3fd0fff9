/** What `tunnels/` needs of the machine, passed in: programs, folders, a clock. */
import type { IkeRefusal } from './dataplane.ts';
import type { IpsecSettings } from './ipsec/settings.ts';
import type { Netlink } from './netlink/types.ts';

/** Runs a program to its end. Rejects when it cannot be started or exits with another code than 0; `message` then holds its stderr. */
export type Runner = (program: string, args: readonly string[], options?: RunOptions) => Promise<string>;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which it is killed. Default: 30 s. */
  readonly timeout?: number;
}

export interface DataplaneOptions {
  /** Folder, 0700, that holds what was before us (`sysctls.json`), to put it back. */
  readonly stateDir: string;
  /** `auto`: wireguard-go only where the kernel has no WireGuard. */
  readonly userspace: 'auto' | 'always' | 'never';
  /** Default: `execFile`. */
  readonly run?: Runner;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number;
  /** Milliseconds since any moment, never set: what spans are measured with. Default: `performance.now`. */
  readonly steady?: () => number;
  /** Opens the netlink sockets; a test passes a fake. */
  readonly netlink?: () => Netlink;
  /** Default: `nft`, found on PATH. */
  readonly nft?: string;
  /** Default: `wireguard-go`, found on PATH. */
  readonly wireguardGo?: string;
  /**
   * Where wireguard-go puts its sockets. It knows only its default, `/var/run/wireguard`, which all network namespaces share;
   * with another folder it is started in a mount namespace of its own, where that folder lies over the default.
   */
  readonly socketDir?: string;
  /** Where sysctls are written, if not in /proc/sys: a container that is not privileged has that read-only. */
  readonly procSys?: string;
  readonly ipsec?: IpsecPorts;
  /** Milliseconds without a packet after which a withdrawn device is removed. Default: 5000. */
  readonly quiet?: number;
}

/** What the IPsec driver needs of the machine. */
export interface IpsecPorts {
  /** Socket of a charon that somebody else runs, read anew each time. Absent: one of our own is started when there is an IPsec device. */
  readonly vici?: string | undefined;
  /** Folder of our own charon: its configuration and its socket. Default: `/run/sheath/ipsec`. */
  readonly folder?: string;
  /** Default: `charon-systemd`, found on PATH. */
  readonly program?: string;
  readonly settings?: () => IpsecSettings;
  /** Where our own charon writes its log, and how much of it, as strongswan.conf(5) has it. Default: nowhere. */
  readonly log?: { readonly path: string; readonly level: number };
  /** A session that our own charon refused: the first of a kind at once, what is repeated once a minute. @param times since it was last said */
  readonly onRefusal?: (refusal: IkeRefusal, times: number) => void;
}

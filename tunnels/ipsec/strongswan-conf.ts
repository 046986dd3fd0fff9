/** The strongswan.conf(5) of a charon of our own: nothing but what the mesh needs, and nothing on routes, which are ours to make. */
import { dirname, join } from 'node:path';

export interface CharonSettings {
  /** Path of its VICI socket. */
  readonly socket: string;
  /** Mark of IKE packets: they go the ordinary way, and not into the tunnel that they make. */
  readonly fwmark: number;
  /** UDP ports of IKE, and of IKE and ESP behind NAT (RFC 3947). */
  readonly ports: { readonly ike: number; readonly natt: number };
  /** Seconds in `net.core.xfrm_acq_expires`, which it sets when it starts. Default: its own. */
  readonly acquireExpires?: number;
  /** What else goes to a file: its path, and how much of it (-1 to 4, as strongswan.conf(5) has it). */
  readonly log?: { readonly path: string; readonly level: number };
}

/** Debian's package for each: libstrongswan, libstrongswan-standard-plugins, strongswan-swanctl (vici). */
const PLUGINS = [
  'random nonce openssl',
  // The KDF of IKEv2 is a plugin of its own since 5.9.6, and kdf needs hmac of its own kind.
  'sha2 hmac kdf',
  // Public keys as they are, without certificates.
  'pem pkcs1 pkcs8 pubkey',
  // The newer key exchange, where this charon has it; a name that it does not know does no harm.
  'ml',
  // error-notify tells what is refused; a charon without it says so when it starts, and goes on.
  'socket-default counters error-notify vici',
  'kernel-netlink',
];

/** Path of the socket on which it tells what it refused, beside its VICI socket. */
export const alertSocketIn = (folder: string): string => join(folder, 'charon.alerts');

/**
 * Seconds: 1, 1.6, 2.6, 4.1, then 5 each, 54 in all until a peer that does not answer is given up. A node that comes is met within 5, and
 * a charon that is started again within a minute has lost nothing.
 */
const RETRANSMIT = { timeout: 1, base: 1.6, limit: 5, tries: 12, jitter: 20 } as const;

export function strongswanConf(settings: CharonSettings): string {
  return tree({
    charon: {
      load: PLUGINS.join(' '),
      port: settings.ports.ike,
      port_nat_t: settings.ports.natt,
      threads: 16,
      install_routes: 'no',
      // Else it makes a rule for it all the same, and takes that away when it ends: another strongSwan of this machine may have it too.
      routing_table: 0,
      install_virtual_ip: 'no',
      // A lookup of one peer among thousands must not walk all of them.
      ikesa_table_size: 1024,
      ikesa_table_segments: 16,
      // When all nodes come at once, they are no attack: a cookie is asked for later than by default.
      cookie_threshold: 1000,
      block_threshold: 50,
      retransmit_timeout: RETRANSMIT.timeout,
      retransmit_base: RETRANSMIT.base,
      retransmit_limit: RETRANSMIT.limit,
      retransmit_tries: RETRANSMIT.tries,
      retransmit_jitter: RETRANSMIT.jitter,
      journal: { default: -1 },
      syslog: { daemon: { default: -1 }, auth: { default: -1 } },
      ...(settings.log === undefined ? {} : { filelog: { file: { ...logOf(settings.log) } } }),
      plugins: {
        vici: { socket: `unix://${settings.socket}` },
        'error-notify': { socket: `unix://${alertSocketIn(dirname(settings.socket))}` },
        'socket-default': { fwmark: `0x${settings.fwmark.toString(16)}` },
        // Our routes come and go with peers and pods: to charon each would be a reason to look for new paths.
        'kernel-netlink': {
          roam_events: 'no',
          ...(settings.acquireExpires === undefined ? {} : { xfrm_acq_expires: settings.acquireExpires }),
        },
      },
    },
  });
}

const logOf = ({ path, level }: { path: string; level: number }) => ({
  path,
  default: level,
  time_format: '%FT%TZ',
  flush_line: 'yes',
  ike_name: 'yes',
});

interface Tree {
  readonly [name: string]: string | number | Tree;
}

function tree(sections: Tree, indent = ''): string {
  return Object.entries(sections)
    .map(([name, value]) =>
      typeof value === 'object'
        ? `${indent}${name} {\n${tree(value, `${indent}  `)}${indent}}\n`
        : `${indent}${name} = ${quoted(String(value))}\n`,
    )
    .join('');
}

/** Where it has to be: what is not a word ends at `#`, `}` or the end of the line. */
function quoted(value: string): string {
  return /^[\w.:/%-]+$/.test(value) ? value : `"${value.replaceAll(/["\\\n]/g, '')}"`;
}

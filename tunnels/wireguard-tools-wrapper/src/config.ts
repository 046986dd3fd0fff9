/**
 * The configuration text of wg(8): `[Interface]` and `[Peer]` sections of `Name = value` lines. Case of names and all blanks
 * are ignored, `#` begins a comment. No message repeats a value: it may be a key in the wrong place.
 */
import { canonicalPrefix, parseEndpoint } from './address.ts';
import { WireGuardError } from './errors.ts';
import { PresharedKey, PrivateKey, type PublicKey, parsePublicKey } from './keys.ts';
import type { DeviceChange, PeerChange } from './types.ts';

/** A line that does not parse; `line` counts from 1. */
export class ConfigError extends WireGuardError {
  override readonly name = 'ConfigError';
  readonly line: number;

  constructor(line: number, message: string) {
    super('INVALID_CONFIG', `line ${line}: ${message}`);
    this.line = line;
  }
}

/** What a configuration says: absent settings are absent. */
export type Config = Omit<DeviceChange, 'replacePeers' | 'peers'> & { readonly peers: readonly PeerChange[] };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type DeviceDraft = Mutable<Omit<Config, 'peers'>>;

interface PeerDraft extends Mutable<Omit<PeerChange, 'publicKey' | 'allowedIps' | 'removeAllowedIps'>> {
  publicKey?: PublicKey;
  /** Of its `[Peer]`. */
  readonly line: number;
  readonly allowedIps: string[];
  readonly removeAllowedIps: string[];
}

interface Setting<T> {
  readonly expected: string;
  /** Throws when `value` is not as expected. */
  readonly read: (target: T, value: string) => void;
}

const KEY = '44 characters of base64';

const INTERFACE = section<DeviceDraft>('[Interface]', {
  PrivateKey: {
    expected: KEY,
    read: (device, value) => {
      device.privateKey = isZeroKey(value) ? null : PrivateKey.parse(value);
    },
  },
  ListenPort: {
    expected: 'a number from 0 to 65535',
    read: (device, value) => {
      device.listenPort = wholeNumber(value, 0xffff);
    },
  },
  FwMark: {
    expected: '"off" or a number up to 0xffffffff',
    read: (device, value) => {
      device.fwmark = numberOrOff(value, 0xffff_ffff);
    },
  },
});

const PEER = section<PeerDraft>('[Peer]', {
  PublicKey: {
    expected: KEY,
    read: (peer, value) => {
      peer.publicKey = parsePublicKey(value);
    },
  },
  PresharedKey: {
    expected: KEY,
    read: (peer, value) => {
      peer.presharedKey = isZeroKey(value) ? null : PresharedKey.parse(value);
    },
  },
  Endpoint: {
    expected: '192.0.2.1:51820 or [2001:db8::1]:51820; names are not looked up',
    read: (peer, value) => {
      const endpoint = parseEndpoint(value);
      if (endpoint === undefined) throw new RangeError('no endpoint');
      peer.endpoint = endpoint;
    },
  },
  PersistentKeepalive: {
    expected: '"off" or seconds up to 65535',
    read: (peer, value) => {
      peer.persistentKeepalive = numberOrOff(value, 0xffff);
    },
  },
  AllowedIPs: { expected: 'prefixes such as 10.0.0.0/24,fd00::/64', read: addAllowedIps },
});

/**
 * What the text says, and no more. A peer's list of allowed IPs replaces the one it has, unless one of them is marked `+` or
 * `-`.
 * @throws ConfigError
 */
export function parseConfig(text: string): Config {
  const device: DeviceDraft = {};
  const peers: PeerDraft[] = [];
  let readSetting = outside;
  for (const [i, raw] of text.split('\n').entries()) {
    const line = withoutBlanks(raw);
    if (line === '') continue;
    const number = i + 1;
    const title = line.toLowerCase();
    if (title === '[interface]') {
      readSetting = reader(INTERFACE, device);
    } else if (title === '[peer]') {
      const peer = { line: number, allowedIps: [], removeAllowedIps: [], replaceAllowedIps: true };
      peers.push(peer);
      readSetting = reader(PEER, peer);
    } else {
      readSetting(line, number);
    }
  }
  return { ...device, peers: peers.map(finished) };
}

function withoutBlanks(raw: string): string {
  const comment = raw.indexOf('#');
  return (comment < 0 ? raw : raw.slice(0, comment)).replace(/\s+/g, '');
}

function outside(_line: string, number: number): void {
  throw new ConfigError(number, 'expected [Interface] or [Peer] first');
}

interface Section<T> {
  readonly title: string;
  /** By name in lower case. */
  readonly settings: ReadonlyMap<string, Setting<T> & { readonly name: string }>;
}

function section<T>(title: string, settings: Readonly<Record<string, Setting<T>>>): Section<T> {
  const named = Object.entries(settings).map(
    ([name, setting]) => [name.toLowerCase(), { name, ...setting }] as const,
  );
  return { title, settings: new Map(named) };
}

/** What reads the lines of one section into `target`. */
function reader<T>({ title, settings }: Section<T>, target: T): (line: string, number: number) => void {
  return (line, number) => {
    const equals = line.indexOf('=');
    const setting = settings.get(line.slice(0, Math.max(equals, 0)).toLowerCase());
    if (setting === undefined) {
      const names = [...settings.values()].map(({ name }) => name).join(', ');
      throw new ConfigError(number, `no setting of ${title}; there are ${names}`);
    }
    try {
      setting.read(target, line.slice(equals + 1));
    } catch {
      throw new ConfigError(number, `${setting.name}: expected ${setting.expected}`); // the cause may hold the value
    }
  };
}

function finished({ line, publicKey, allowedIps, removeAllowedIps, ...rest }: PeerDraft): PeerChange {
  if (publicKey === undefined) throw new ConfigError(line, 'this [Peer] has no PublicKey');
  return { publicKey, ...rest, allowedIps, ...(removeAllowedIps.length > 0 && { removeAllowedIps }) };
}

function addAllowedIps(peer: PeerDraft, value: string): void {
  if (value === '') return;
  for (const word of value.split(',')) {
    const sign = word[0] === '+' || word[0] === '-' ? word[0] : '';
    const prefix = canonicalPrefix(word.slice(sign.length));
    if (sign !== '') peer.replaceAllowedIps = false;
    (sign === '-' ? peer.removeAllowedIps : peer.allowedIps).push(prefix);
  }
}

function numberOrOff(value: string, most: number): number {
  return value.toLowerCase() === 'off' ? 0 : wholeNumber(value, most);
}

/** Decimal, or hexadecimal after 0x. */
function wholeNumber(value: string, most: number): number {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(value) || Number(value) > most) throw new RangeError('no such number');
  return Number(value);
}

/** wg takes the key of zeros for none. */
function isZeroKey(value: string): boolean {
  return /^A{43}=$/.test(value);
}

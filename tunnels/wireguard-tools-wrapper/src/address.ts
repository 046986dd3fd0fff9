/** Addresses, prefixes and endpoints between text and bytes: 4 bytes are IPv4, 16 are IPv6, in network order. */
import { isIPv4, isIPv6 } from 'node:net';
import { WireGuardError } from './errors.ts';
import type { Endpoint } from './types.ts';

export interface Prefix {
  /** 4 or 16 bytes, host bits as given. */
  readonly bytes: Uint8Array;
  /** Leading bits that count: 0 to 32, or 128. */
  readonly length: number;
}

/** @throws WireGuardError `INVALID` unless `text` is an address or `address/length`; without a length, all bits count. */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) throw invalidPrefix(text);
  const most = bytes.length * 8;
  if (slash < 0) return { bytes, length: most };
  const digits = text.slice(slash + 1);
  const length = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || length > most) throw invalidPrefix(text);
  return { bytes, length };
}

function invalidPrefix(text: string): WireGuardError {
  return new WireGuardError(
    'INVALID',
    `${JSON.stringify(text)} is no prefix: expected 10.0.0.0/24 or fd00::/64`,
  );
}

/** As the kernel writes it: host bits cleared, `10.0.0.0/24`, IPv6 as RFC 5952 says. */
export function canonicalPrefix(text: string): string {
  const { bytes, length } = parsePrefix(text);
  const masked = Buffer.from(bytes);
  for (let i = 0; i < masked.length; i++) {
    const kept = Math.min(8, Math.max(0, length - i * 8));
    masked[i] = (masked[i] ?? 0) & (0xff00 >> kept);
  }
  return `${formatAddress(masked, 0, masked.length)}/${length}`;
}

/** Strict: four decimal numbers without leading zeros, or RFC 4291 text without a zone; anything else is undefined. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (!text.includes(':')) return parseIpv4(text);
  return isIPv6(text) && !text.includes('%') ? parseIpv6(text) : undefined;
}

const DOT = 46;
const ZERO = 48;

/** By hand: thousands of them are read at a time. */
function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let at = 0;
  let value = -1; // before the first digit
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : DOT;
    if (code === DOT) {
      if (value < 0 || at === 4) return undefined;
      bytes[at++] = value;
      value = -1;
    } else {
      const digit = code - ZERO;
      if (digit < 0 || digit > 9 || value === 0) return undefined; // no leading zeros
      value = Math.max(value, 0) * 10 + digit;
      if (value > 255) return undefined;
    }
  }
  return at === 4 ? bytes : undefined;
}

/** `text` has passed `isIPv6`. */
function parseIpv6(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const gap = text.indexOf('::');
  if (gap < 0) {
    bytes.set(ipv6Bytes(text));
    return bytes;
  }
  bytes.set(ipv6Bytes(text.slice(0, gap)));
  const tail = ipv6Bytes(text.slice(gap + 2));
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function ipv6Bytes(groups: string): number[] {
  const bytes: number[] = [];
  if (groups === '') return bytes;
  for (const group of groups.split(':')) {
    if (group.includes('.')) {
      bytes.push(...group.split('.').map(Number));
    } else {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/** The address in `length` bytes (4 or 16) of `buffer` at `offset`. */
export function formatAddress(buffer: Buffer, offset: number, length: number): string {
  if (length === 4) {
    return `${buffer[offset]}.${buffer[offset + 1]}.${buffer[offset + 2]}.${buffer[offset + 3]}`;
  }
  return formatIpv6(buffer, offset);
}

/** RFC 5952: the longest run of two zero groups or more, the first of equals, becomes `::`; ::ffff:0:0/96 ends dotted. */
function formatIpv6(buffer: Buffer, offset: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(buffer.readUInt16BE(offset + i));
  const [start, run] = longestZeroRun(groups);
  if (start === 0 && run === 5 && groups[5] === 0xffff) {
    return `::ffff:${formatAddress(buffer, offset + 12, 4)}`;
  }
  if (run < 2) return hexGroups(groups, 0, 8);
  return `${hexGroups(groups, 0, start)}::${hexGroups(groups, start + run, 8)}`;
}

function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best = 0;
  let bestLength = 0;
  let length = 0;
  for (let i = 0; i < 8; i++) {
    length = groups[i] === 0 ? length + 1 : 0;
    if (length > bestLength) {
      bestLength = length;
      best = i + 1 - length;
    }
  }
  return [best, bestLength];
}

function hexGroups(groups: readonly number[], from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) text += `${i > from ? ':' : ''}${groups[i]?.toString(16)}`;
  return text;
}

/** `192.0.2.1:51820`, `[2001:db8::1]:51820`. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The opposite of `formatEndpoint`; undefined when it is none. Names are not looked up. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (address === undefined || port > 65_535) return undefined;
  const known = match?.[1] === undefined ? isIPv4(address) : isIPv6(address);
  return known ? { address: canonicalAddress(address), port } : undefined;
}

/** `address` has passed `isIPv4` or `isIPv6`; a zone stays as it is. */
function canonicalAddress(address: string): string {
  const percent = address.indexOf('%');
  const bytes = parseAddress(percent < 0 ? address : address.slice(0, percent));
  if (bytes === undefined) return address;
  const text = formatAddress(Buffer.from(bytes), 0, bytes.length);
  return percent < 0 ? text : text + address.slice(percent);
}

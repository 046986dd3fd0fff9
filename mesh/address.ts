/** IPv4 and IPv6 addresses: parsed strictly at the edge, from then on canonical text that compares with `===`. */
import { Address6 } from 'ip-address';
import type { Address, Family } from './types.ts';

/** No leading zeros: `010.0.0.1` is 8.0.0.1 to some programs and 10.0.0.1 to others. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** The longest text of an IPv6 address, the one that ends in an IPv4 address. */
const MAX_TEXT = 45;
const MAPPED = '600000000000000000000ffff';

/** Canonical text (RFC 5952); undefined for anything else, a zone and an IPv4-mapped address included. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_TEXT) return undefined;
  if (!text.includes(':')) return IPV4.test(text) ? (text as Address) : undefined;
  if (text.includes('%') || text.includes('/')) return undefined;
  try {
    const address = new Address6(text).correctForm() as Address;
    return bitsOf(address).startsWith(MAPPED) ? undefined : address;
  } catch {
    return undefined;
  }
}

export function familyOf(text: Address | `${Address}/${string}`): Family {
  return text.includes(':') ? 6 : 4;
}

/**
 * An address as text of a fixed width that sorts and compares as the address does: the family, then 8 or 32 hexadecimal
 * digits. Fast, because it is the inner loop of the plan; takes canonical text only.
 */
export function bitsOf(address: Address): string {
  return address.includes(':') ? bits6(address) : bits4(address);
}

function bits4(text: string): string {
  let value = 0;
  let octet = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 46) {
      value = value * 256 + octet;
      octet = 0;
    } else octet = octet * 10 + code - 48;
  }
  // A leading 1 in bit 32 keeps the zeros in front.
  return `4${(value * 256 + octet + 0x1_0000_0000).toString(16).slice(1)}`;
}

const ZEROS = ['', '0', '00', '000', '0000'];

function bits6(text: string): string {
  const gap = text.indexOf('::');
  if (gap < 0) return `6${groups(text)}`;
  const head = groups(text.slice(0, gap));
  const tail = groups(text.slice(gap + 2));
  return `6${head}${'0'.repeat(32 - head.length - tail.length)}${tail}`;
}

function groups(text: string): string {
  if (text === '') return '';
  let bits = '';
  for (const group of text.split(':')) bits += (ZEROS[4 - group.length] ?? '') + group;
  return bits;
}

/** IPv4 first, then by value. */
export function compareAddresses(a: Address, b: Address): number {
  return compareText(bitsOf(a), bitsOf(b));
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Ranges that no node of a cluster can be reached at from another one (RFC 6890, RFC 4291), as the start of `bitsOf`. */
const UNREACHABLE: readonly (readonly [start: RegExp, reason: string])[] = [
  [/^400/, 'is in 0.0.0.0/8, which means "this host"'],
  [/^47f|^60{31}1$/, 'is a loopback address'],
  [/^60{32}$/, 'is the unspecified address'],
  [/^4e|^6ff/, 'is a multicast address'],
  [/^4f/, 'is in 240.0.0.0/4, reserved or broadcast'],
  [/^4a9fe|^6fe[89ab]/, 'is a link-local address, which means nothing on another link'],
];

/** Why no other node can reach it; undefined when nothing is wrong with it. */
export function unreachable(address: Address): string | undefined {
  const bits = bitsOf(address);
  return UNREACHABLE.find(([start]) => start.test(bits))?.[1];
}

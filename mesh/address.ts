/** IPv4 and IPv6 addresses: parsed strictly at the edge, from then on canonical text that compares with `===`. */
import { Address6 } from 'ip-address';
import { compareRanges, contains } from './range.ts';
import { type Range, scan } from './scan.ts';
import type { Address, Family } from './types.ts';

/** The longest text of an IPv6 address, the one that ends in an IPv4 address. */
const MAX_TEXT = 45;

/** Canonical text (RFC 5952); undefined for anything else, a zone and an IPv4-mapped address included. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const range = scan(text);
  if (range !== undefined) return isMapped(range) ? undefined : (text as Address);
  return text.includes(':') ? parseLoose(text) : undefined;
}

/** IPv6 as people write it. */
function parseLoose(text: string): Address | undefined {
  if (text.includes('%') || text.includes('/')) return undefined;
  try {
    const address = new Address6(text).correctForm() as Address;
    return isMapped(rangeOfAddress(address)) ? undefined : address;
  } catch {
    return undefined;
  }
}

/** `::ffff:0:0/96`, which says IPv4 in the words of IPv6. */
function isMapped({ family, a, b, c }: Range): boolean {
  return family === 6 && a === 0 && b === 0 && c === 0xffff;
}

export function familyOf(text: Address | `${Address}/${string}`): Family {
  return text.includes(':') ? 6 : 4;
}

/** Takes canonical text only. */
export function rangeOfAddress(address: Address): Range {
  const range = scan(address);
  if (range === undefined) throw new Error(`${address} is not canonical`);
  return range;
}

/** IPv4 first, then by value. */
export function compareAddresses(a: Address, b: Address): number {
  return compareRanges(rangeOfAddress(a), rangeOfAddress(b));
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Ranges that no node of a cluster can be reached at from another one (RFC 6890, RFC 4291). */
const UNREACHABLE = [
  ['0.0.0.0', 8, 'is in 0.0.0.0/8, which means "this host"'],
  ['127.0.0.0', 8, 'is a loopback address'],
  ['::1', 128, 'is a loopback address'],
  ['::', 128, 'is the unspecified address'],
  ['224.0.0.0', 4, 'is a multicast address'],
  ['ff00::', 8, 'is a multicast address'],
  ['240.0.0.0', 4, 'is in 240.0.0.0/4, reserved or broadcast'],
  ['169.254.0.0', 16, 'is a link-local address, which means nothing on another link'],
  ['fe80::', 10, 'is a link-local address, which means nothing on another link'],
] as const;

const unreachableRanges = UNREACHABLE.map(([first, length, reason]) => ({
  range: { ...rangeOfAddress(first as Address), length },
  reason,
}));

/** Why no other node can reach it; undefined when nothing is wrong with it. */
export function unreachable(address: Address): string | undefined {
  const own = rangeOfAddress(address);
  return unreachableRanges.find(({ range }) => contains(range, own))?.reason;
}

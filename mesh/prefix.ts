/** Prefixes: canonical text that compares with `===`, and the ranges that they stand for. */
import { familyOf, parseAddress } from './address.ts';
import { aligned, compareRanges, isAligned } from './range.ts';
import { type Range, scan } from './scan.ts';
import type { Address, Family, Prefix } from './types.ts';

export { contains, overlaps } from './range.ts';
export type { Range } from './scan.ts';

const LENGTH = /^(?:0|[1-9]\d{0,2})$/;

/** Canonical text; undefined for anything else, also when host bits are set (`networkOf` says what was meant). */
export function parsePrefix(text: string): Prefix | undefined {
  const parts = split(text);
  return parts !== undefined && isAligned(rangeOf(parts)) ? parts : undefined;
}

/** The prefix that an address with a length lies in: `10.1.2.3/24` is in `10.1.2.0/24`. Undefined when it is no prefix at all. */
export function networkOf(text: string): Prefix | undefined {
  const parts = split(text);
  if (parts === undefined) return undefined;
  const network = aligned(rangeOf(parts));
  return `${textOf(network)}/${network.length}` as Prefix;
}

/** The address canonical, but maybe with host bits. */
function split(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const length = text.slice(slash + 1);
  if (slash < 0 || !LENGTH.test(length)) return undefined;
  const written = text.slice(0, slash);
  const address = parseAddress(written);
  if (address === undefined || Number(length) > (familyOf(address) === 6 ? 128 : 32)) return undefined;
  return (address === written ? text : `${address}/${length}`) as Prefix;
}

export function lengthOf(prefix: Prefix): number {
  let length = 0;
  for (let at = prefix.indexOf('/') + 1; at < prefix.length; at++)
    length = length * 10 + prefix.charCodeAt(at) - 48;
  return length;
}

export function familyOfPrefix(prefix: Prefix): Family {
  return prefix.includes(':') ? 6 : 4;
}

/** The first address: since no host bits are set, the one that the prefix is written with. */
export function firstAddress(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf('/')) as Address;
}

/** `192.0.2.1` as `192.0.2.1/32`, an IPv6 address as `/128`. */
export function hostPrefix(address: Address): Prefix {
  return `${address}/${address.includes(':') ? 128 : 32}` as Prefix;
}

/** How many addresses it holds is no secret of its length: 32 or 128 is one. */
export function isSingleAddress(prefix: Prefix): boolean {
  return lengthOf(prefix) === (prefix.includes(':') ? 128 : 32);
}

export function rangeOf(prefix: Prefix): Range {
  const range = scan(prefix, prefix.indexOf('/'), lengthOf(prefix));
  if (range === undefined) throw new Error(`${prefix} is no canonical prefix`);
  return range;
}

/** IPv4 first, then by the first address, the wider before what it holds. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareRanges(rangeOf(a), rangeOf(b));
}

function textOf({ family, a, b, c, d }: Range): Address {
  const halves = [a, b, c, d].flatMap((word) => [word >>> 16, word & 0xffff]);
  const text =
    family === 4
      ? [a >>> 24, (a >>> 16) & 255, (a >>> 8) & 255, a & 255].join('.')
      : halves.map((half) => half.toString(16)).join(':');
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

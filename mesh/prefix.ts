/** Prefixes: canonical text that compares with `===`, and ranges that tell which of two covers the other. */
import { bitsOf, compareText, parseAddress } from './address.ts';
import type { Address, Family, Prefix } from './types.ts';

const LENGTH = /^(?:0|[1-9]\d{0,2})$/;
const HEX = '0123456789abcdef';

/** First and last address as `bitsOf` writes them: text that compares as the addresses do, IPv4 apart from IPv6. */
export interface Range {
  readonly first: string;
  readonly last: string;
}

/** Canonical text; undefined for anything else, also when host bits are set (`networkOf` says what was meant). */
export function parsePrefix(text: string): Prefix | undefined {
  const parts = split(text);
  if (parts === undefined) return undefined;
  const prefix = `${parts.address}/${parts.length}` as Prefix;
  return withoutHostBits(bitsOf(parts.address), parts.length) ? prefix : undefined;
}

/** The prefix that an address with a length lies in: `10.1.2.3/24` is in `10.1.2.0/24`. Undefined when it is no prefix at all. */
export function networkOf(text: string): Prefix | undefined {
  const parts = split(text);
  if (parts === undefined) return undefined;
  const { address, length } = parts;
  const masked = mask(bitsOf(address), length, '0');
  return `${textOf(masked)}/${length}` as Prefix;
}

function split(text: string): { readonly address: Address; readonly length: number } | undefined {
  const slash = text.indexOf('/');
  const length = text.slice(slash + 1);
  if (slash < 0 || !LENGTH.test(length)) return undefined;
  const address = parseAddress(text.slice(0, slash));
  if (address === undefined || Number(length) > (address.includes(':') ? 128 : 32)) return undefined;
  return { address, length: Number(length) };
}

export function lengthOf(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
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
  const first = bitsOf(firstAddress(prefix));
  return { first, last: mask(first, lengthOf(prefix), 'f') };
}

export function rangeOfAddress(address: Address): Range {
  const bits = bitsOf(address);
  return { first: bits, last: bits };
}

/** Whether every address of `inner` is one of `outer`; a prefix contains itself. */
export function contains(outer: Range, inner: Range): boolean {
  return outer.first <= inner.first && inner.last <= outer.last;
}

export function overlaps(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** IPv4 first, then by the first address, the wider before what it holds. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareText(bitsOf(firstAddress(a)), bitsOf(firstAddress(b))) || lengthOf(a) - lengthOf(b);
}

/** `bits` with everything after the first `length` bits set to `fill`. */
function mask(bits: string, length: number, fill: '0' | 'f'): string {
  const whole = 1 + Math.floor(length / 4);
  const head = bits.slice(0, whole);
  if (length % 4 === 0) return head.padEnd(bits.length, fill);
  const host = 0xf >> (length % 4);
  const nibble = Number.parseInt(bits.charAt(whole), 16);
  const digit = HEX.charAt(fill === '0' ? nibble & ~host : nibble | host);
  return (head + digit).padEnd(bits.length, fill);
}

function withoutHostBits(bits: string, length: number): boolean {
  return mask(bits, length, '0') === bits;
}

function textOf(bits: string): Address {
  const text =
    bits.charAt(0) === '4'
      ? [1, 3, 5, 7].map((at) => Number.parseInt(bits.slice(at, at + 2), 16)).join('.')
      : bits.slice(1).replace(/(.{4})(?=.)/g, '$1:');
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

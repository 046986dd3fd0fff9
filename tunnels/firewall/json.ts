/** The words of libnftables' JSON (libnftables-json(5)) that our rules are written with. */
import { contains, rangeOf } from '../../mesh/prefix.ts';
import type { Prefix } from '../../mesh/types.ts';
import { familyOf } from '../netlink/ip.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };
export type Command = { readonly [verb: string]: Json };

/** All of these are of family `inet`. A later table never speaks of what is in another. */
export interface Table extends Rules {
  readonly name: string;
}

/** Chains come in the order in which they are made: one that is jumped to before the one that jumps. */
export interface Rules {
  readonly counters: readonly string[];
  readonly sets: readonly NftSet[];
  readonly chains: readonly Chain[];
  readonly rules: readonly Rule[];
}

export interface Chain {
  readonly name: string;
  /** A base chain; without, one that others jump to. */
  readonly base?: {
    readonly type: 'filter' | 'nat';
    readonly hook: 'prerouting' | 'input' | 'forward' | 'postrouting';
    readonly prio: number;
  };
}

export interface NftSet {
  readonly name: string;
  readonly type: 'ipv4_addr' | 'ipv6_addr' | 'inet_service';
  readonly elements: readonly Json[];
}

export interface Rule {
  readonly chain: string;
  readonly expr: readonly Json[];
}

export type Family = 4 | 6;
export const FAMILIES = [4, 6] as const;
export const PROTOCOL = { 4: 'ip', 6: 'ip6' } as const;
export const NFPROTO = { 4: 'ipv4', 6: 'ipv6' } as const;
export const ADDRESS = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

/** Our tunnel devices, whichever lives. */
export const DEVICES: Json = { set: ['sheath0', 'sheath1'] };

export const ACCEPT: Json = { accept: null };

export const meta = (key: string): Json => ({ meta: { key } });

export const payload = (protocol: string, field: string): Json => ({ payload: { protocol, field } });

export const bits = (value: Json, mask: number): Json => ({ '&': [value, mask] });

export const equal = (left: Json, right: Json): Json => ({ match: { op: '==', left, right } });

export const differs = (left: Json, right: Json): Json => ({ match: { op: '!=', left, right } });

export const rule = (chain: string, ...expr: readonly Json[]): Rule => ({ chain, expr });

/** One after the other: `a`'s rules come before `b`'s where they share a chain. */
export function together(parts: readonly Rules[]): Rules {
  return {
    counters: parts.flatMap(({ counters }) => counters),
    sets: parts.flatMap(({ sets }) => sets),
    chains: parts.flatMap(({ chains }) => chains),
    rules: parts.flatMap(({ rules }) => rules),
  };
}

export function prefixSet(name: string, family: Family, prefixes: readonly Prefix[]): NftSet {
  const mine = prefixes.filter((prefix) => familyOf(prefix) === family);
  return { name, type: ADDRESS[family], elements: disjoint(mine).map(element) };
}

/** Without those that another covers: nft refuses overlapping elements. */
function disjoint(prefixes: readonly Prefix[]): Prefix[] {
  const ranges = prefixes.map(rangeOf);
  return prefixes.filter((_, i) => {
    const mine = ranges[i];
    if (mine === undefined) return false;
    return !ranges.some((other, j) => j !== i && contains(other, mine) && (j < i || !contains(mine, other)));
  });
}

function element(prefix: Prefix): Json {
  const [address = '', length = ''] = prefix.split('/');
  const whole = familyOf(address) === 6 ? '128' : '32';
  return length === whole ? address : { prefix: { addr: address, len: Number(length) } };
}

/** The two comma-separated annotations: `sheath.dev/endpoints` and `sheath.dev/prefixes`. */
import { compareAddresses, familyOf, parseAddress, unreachable } from './address.ts';
import { ANNOTATIONS, LIMITS, SHORTEST_PREFIX } from './annotations.ts';
import { comparePrefixes, familyOfPrefix, firstAddress, lengthOf, networkOf, parsePrefix } from './prefix.ts';
import { type ProblemList, quote } from './problems.ts';
import type { Address, Prefix } from './types.ts';

export function parseAddresses(text: string, problems: ProblemList): readonly Address[] {
  const items = split(text, LIMITS[ANNOTATIONS.endpoints].items, problems);
  const good: Address[] = [];
  for (const item of items) {
    const address = parseAddress(item);
    const wrong = address === undefined ? 'is no IPv4 or IPv6 address without a zone' : unreachable(address);
    if (address !== undefined && wrong === undefined) good.push(address);
    else
      problems.add('ENDPOINT_INVALID', `${quote(item)} ${wrong}; publish an address that other nodes reach`);
  }
  return sortedAddresses(good);
}

export function parsePrefixes(text: string, problems: ProblemList): readonly Prefix[] {
  const items = split(text, LIMITS[ANNOTATIONS.prefixes].items, problems);
  const good: Prefix[] = [];
  for (const item of items) {
    const prefix = parsePrefix(item);
    const wrong = prefix === undefined ? unreadable(item) : unfit(prefix);
    if (prefix !== undefined && wrong === undefined) good.push(prefix);
    else problems.add('PREFIX_INVALID', `${quote(item)} ${wrong}`);
  }
  return sortedPrefixes(good);
}

export function sortedAddresses(addresses: readonly Address[]): readonly Address[] {
  return sorted(addresses.length < 2 ? addresses : [...new Set(addresses)], compareAddresses);
}

export function sortedPrefixes(prefixes: readonly Prefix[]): readonly Prefix[] {
  return sorted(prefixes.length < 2 ? prefixes : [...new Set(prefixes)], comparePrefixes);
}

/** A sorted copy. What is in order already, as agents and the API server write it, costs one look at each. */
export function sorted<T>(items: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  const copy = [...items];
  const inOrder = items.every((item, at) => {
    const before = items[at - 1];
    return before === undefined || compare(before, item) <= 0;
  });
  return inOrder ? copy : copy.sort(compare);
}

/** The items, trimmed; none when there are too many, since a part of them would look like the whole. */
function split(text: string, limit: number, problems: ProblemList): readonly string[] {
  if (text.trim() === '') return [];
  const items = text.split(',', limit + 1).map((item) => item.trim());
  if (items.length <= limit) return items;
  problems.add('RECORD_TOO_LARGE', `lists more than ${limit} items, none is read; publish fewer, wider ones`);
  return [];
}

function unreadable(item: string): string {
  const meant = networkOf(item);
  if (meant === undefined) return 'is no prefix; write it like 10.244.3.0/24 or fd00:10:244:3::/64';
  return `has host bits set; write ${meant}`;
}

/** Why no node may claim it, whoever vouches. */
function unfit(prefix: Prefix): string | undefined {
  const shortest = SHORTEST_PREFIX[familyOfPrefix(prefix)];
  if (lengthOf(prefix) < shortest)
    return `covers more than a node can own; the shortest length that is taken is /${shortest}`;
  const wrong = unreachable(firstAddress(prefix));
  return wrong === undefined ? undefined : `${wrong}; no pod has such an address`;
}

/** Families that occur, IPv4 first. */
export function familiesOf(addresses: readonly Address[]): readonly (4 | 6)[] {
  return ([4, 6] as const).filter((family) => addresses.some((address) => familyOf(address) === family));
}

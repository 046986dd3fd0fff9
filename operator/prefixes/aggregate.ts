/** Many single addresses as few prefixes, of which each holds nothing but those addresses. */
import { compareAddresses } from '../../mesh/address.ts';
import { firstAddress, hostPrefix, lengthOf, networkOf } from '../../mesh/prefix.ts';
import type { Address, Prefix } from '../../mesh/types.ts';

/** Sorted; the same set gives the same prefixes. */
export function aggregate(addresses: Iterable<Address>): readonly Prefix[] {
  const sorted = [...new Set(addresses)].sort(compareAddresses);
  const open: Prefix[] = [];
  for (const address of sorted) {
    let last = hostPrefix(address);
    for (let before = open.at(-1); before !== undefined; before = open.at(-1)) {
      const both = parentOf(before);
      if (both === undefined || both !== parentOf(last) || lengthOf(before) !== lengthOf(last)) break;
      open.pop();
      last = both;
    }
    open.push(last);
  }
  return open;
}

/** The prefix that is twice as wide; undefined when there is none. */
function parentOf(prefix: Prefix): Prefix | undefined {
  const length = lengthOf(prefix);
  return length === 0 ? undefined : networkOf(`${firstAddress(prefix)}/${length - 1}`);
}

/** Which addresses other Nodes' records hold. */
import { familyOfPrefix, lengthOf, networkOf } from '../../mesh/prefix.ts';
import type { Address, NodeRecord, Prefix } from '../../mesh/types.ts';

/** Looks through the records when it is first asked: mostly nobody asks. */
export function heldByOthers(others: readonly NodeRecord[]): (address: Address) => boolean {
  let index: Index | undefined;
  return (address) => {
    index ??= indexOf(others);
    const { held, lengths } = index;
    const family = address.includes(':') ? 6 : 4;
    return lengths[family].some((length) => held.has(networkOf(`${address}/${length}`)));
  };
}

interface Index {
  readonly held: ReadonlySet<Prefix | undefined>;
  readonly lengths: { readonly 4: readonly number[]; readonly 6: readonly number[] };
}

function indexOf(others: readonly NodeRecord[]): Index {
  const held = new Set(others.flatMap(({ prefixes }) => prefixes));
  const lengths = { 4: new Set<number>(), 6: new Set<number>() };
  for (const prefix of held) lengths[familyOfPrefix(prefix)].add(lengthOf(prefix));
  return { held, lengths: { 4: [...lengths[4]], 6: [...lengths[6]] } };
}

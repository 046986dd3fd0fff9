import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseAddress, rangeOfAddress } from '../../../mesh/address.ts';
import { contains, rangeOf } from '../../../mesh/prefix.ts';
import type { Address } from '../../../mesh/types.ts';
import { aggregate } from '../../../operator/prefixes/aggregate.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed, text);
  return parsed;
}

const few = fc.array(
  fc.oneof(
    fc.nat(15).map((n) => address(`10.0.0.${n}`)),
    fc.nat(15).map((n) => address(`fd00::${n.toString(16)}`)),
  ),
);

describe('addresses as prefixes', () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['none', [], []],
    ['one of each family', ['fd00::1', '10.0.0.1'], ['10.0.0.1/32', 'fd00::1/128']],
    ['neighbours in one block', ['10.0.0.2', '10.0.0.3'], ['10.0.0.2/31']],
    ['neighbours in two blocks', ['10.0.0.1', '10.0.0.2'], ['10.0.0.1/32', '10.0.0.2/32']],
    [
      'a block and its next, but for one',
      ['10.0.0.0', '10.0.0.1', '10.0.0.2'],
      ['10.0.0.0/31', '10.0.0.2/32'],
    ],
    ['twice the same', ['10.0.0.1', '10.0.0.1'], ['10.0.0.1/32']],
    ['the end of all', ['255.255.255.254', '255.255.255.255'], ['255.255.255.254/31']],
    ['across an octet', ['10.0.0.255', '10.0.1.0'], ['10.0.0.255/32', '10.0.1.0/32']],
  ];
  for (const [name, addresses, expected] of cases)
    it(name, () => assert.deepEqual(aggregate(addresses.map(address)), expected));

  it('a whole block of 256 is one', () =>
    assert.deepEqual(aggregate(Array.from({ length: 256 }, (_, n) => address(`10.1.2.${255 - n}`))), [
      '10.1.2.0/24',
    ]));

  it('hold just those addresses, each once, in the fewest prefixes, whatever the order', () => {
    fc.assert(
      fc.property(few, (addresses) => {
        const prefixes = aggregate(addresses);
        assert.deepEqual(aggregate([...addresses].reverse()), prefixes);
        const ranges = prefixes.map(rangeOf);
        for (const text of [...Array(16).keys()].flatMap((n) => [
          `10.0.0.${n}`,
          `fd00::${n === 0 ? '' : n.toString(16)}`,
        ])) {
          const holders = ranges.filter((range) => contains(range, rangeOfAddress(address(text))));
          assert.equal(
            holders.length,
            addresses.includes(address(text)) ? 1 : 0,
            `${text} in ${prefixes.join(' ')}`,
          );
        }
        // As many as the slow way leaves: two halves of one become it, until there are none.
        assert.equal(prefixes.length, slowly(addresses));
      }),
    );
  });
});

function slowly(addresses: readonly Address[]): number {
  const blocks = new Set(
    [...new Set(addresses)].map((text) =>
      text.includes(':') ? `6 0 ${parseInt(text.split('::')[1] || '0', 16)}` : `4 0 ${text.split('.')[3]}`,
    ),
  );
  for (let level = 0; level < 4; level += 1)
    for (const family of ['4', '6'])
      for (let n = 0; n < 16; n += 2) {
        const [a, b] = [`${family} ${level} ${n}`, `${family} ${level} ${n + 1}`];
        if (!blocks.has(a) || !blocks.has(b)) continue;
        blocks.delete(a);
        blocks.delete(b);
        blocks.add(`${family} ${level + 1} ${n / 2}`);
      }
  return blocks.size;
}

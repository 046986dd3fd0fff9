import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { compareAddresses, parseAddress, rangeOfAddress, unreachable } from '../../mesh/address.ts';
import {
  comparePrefixes,
  contains,
  networkOf,
  overlaps,
  parsePrefix,
  type Range,
  rangeOf,
} from '../../mesh/prefix.ts';
import type { Address, Prefix } from '../../mesh/types.ts';
import { address } from './fixtures.ts';

/** The slow, obvious twin: whole numbers. */
interface Naive {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

function naive(prefix: string): Naive {
  const [text = '', length = ''] = prefix.split('/');
  const v6 = text.includes(':');
  const value = v6 ? new Address6(text).bigInt() : new Address4(text).bigInt();
  const size = 1n << BigInt((v6 ? 128 : 32) - Number(length));
  const first = (value / size) * size;
  return { family: v6 ? 6 : 4, first, last: first + size - 1n };
}

/** The first address of a range as a whole number. */
function whole({ family, a, b, c, d }: Range): bigint {
  const words = family === 4 ? [a] : [a, b, c, d];
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
}

const addressText = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((text) => parseAddress(text) !== undefined),
  fc
    .bigInt({ min: 0n, max: 0xffffn })
    .map((low) => new Address6(`2001:db8::${low.toString(16)}`).correctForm()),
);
/** Few bits vary, so that prefixes often meet. */
const near = fc.oneof(
  fc.nat(0xfff).map((low) => `10.0.${low >> 8}.${low & 255}`),
  fc.nat(0xfff).map((low) => `fd00::${low.toString(16)}`),
);
const prefixes = fc
  .tuple(fc.oneof(addressText, near), fc.nat(32), fc.boolean())
  .map(([text, length, narrow]) => {
    const bits = text.includes(':') ? 128 : 32;
    return networkOf(`${text}/${narrow ? bits - (length % 14) : Math.min(bits, length * 4)}`) as Prefix;
  });

describe('addresses', () => {
  const cases: readonly (readonly [text: string, canonical: string | undefined])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['1::', '1::'],
    ['010.0.0.1', undefined],
    ['10.1', undefined],
    ['10.0.0.256', undefined],
    ['10.0.0.1.', undefined],
    [' 10.0.0.1', undefined],
    ['10.0.0.1/32', undefined],
    ['fe80::1%eth0', undefined],
    ['2001:db8::1/64', undefined],
    ['::ffff:10.0.0.1', undefined],
    ['::ffff:a00:1', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['1::2::3', undefined],
    ['', undefined],
    [':', undefined],
    ['0x7f.1', undefined],
    [`${'1'.repeat(1000)}`, undefined],
  ];
  for (const [text, canonical] of cases)
    it(`${JSON.stringify(text.slice(0, 30))} is ${canonical ?? 'refused'}`, () =>
      assert.equal(parseAddress(text), canonical));

  it('takes of IPv4 exactly what ip-address takes', () => {
    const parts = fc.array(
      fc.constantFrom('0', '1', '9', '00', '01', '255', '256', '99', '', 'a', '-1', '.'),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(parts, (list) => {
        const text = list.join('.');
        assert.equal(parseAddress(text) !== undefined, Address4.isValid(text));
      }),
    );
  });

  it('is canonical: parsed again, the same', () => {
    fc.assert(
      fc.property(addressText, (text) => {
        const once = parseAddress(text);
        assert.ok(once !== undefined);
        assert.equal(parseAddress(once), once);
      }),
    );
  });

  it('compares as whole numbers do', () => {
    fc.assert(
      fc.property(addressText, addressText, (a, b) => {
        const [x, y] = [address(a), address(b)];
        const [m, n] = [
          naive(`${x}/${x.includes(':') ? 128 : 32}`),
          naive(`${y}/${y.includes(':') ? 128 : 32}`),
        ];
        const expected = m.family - n.family || (m.first < n.first ? -1 : m.first > n.first ? 1 : 0);
        assert.equal(Math.sign(compareAddresses(x, y)), Math.sign(expected));
        assert.equal(whole(rangeOfAddress(x)), m.first);
      }),
    );
  });

  it('knows which addresses no other node reaches', () => {
    const bad = [
      '0.0.0.0',
      '0.1.2.3',
      '127.0.0.1',
      '127.255.0.1',
      '169.254.1.1',
      '224.0.0.1',
      '239.1.1.1',
      '240.0.0.1',
      '255.255.255.255',
      '::',
      '::1',
      'fe80::1',
      'febf::1',
      'ff02::1',
    ];
    for (const text of bad) assert.notEqual(unreachable(address(text)), undefined, text);
    for (const text of [
      '10.0.0.1',
      '100.64.0.1',
      '169.253.1.1',
      '126.255.255.255',
      '223.255.255.255',
      '::2',
      'fec0::1',
      'fd00::1',
      '2001:db8::1',
    ])
      assert.equal(unreachable(address(text)), undefined, text);
  });
});

describe('prefixes', () => {
  const cases: readonly (readonly [text: string, canonical: string | undefined])[] = [
    ['10.244.1.0/24', '10.244.1.0/24'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.1/32', '10.0.0.1/32'],
    ['FD00:0:0::/48', 'fd00::/48'],
    ['::/0', '::/0'],
    ['fd00:1:2:3::/65', 'fd00:1:2:3::/65'],
    ['10.244.1.1/24', undefined],
    ['fd00::1/64', undefined],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/08', undefined],
    ['10.0.0.0/-1', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0', undefined],
    ['10.0.0.0/8/8', undefined],
    ['10.0.0.0/8 ', undefined],
    ['fd00::/129', undefined],
    ['/8', undefined],
  ];
  for (const [text, canonical] of cases)
    it(`${JSON.stringify(text)} is ${canonical ?? 'refused'}`, () =>
      assert.equal(parsePrefix(text), canonical));

  it('says which network an address with a length lies in', () => {
    assert.equal(networkOf('10.1.2.3/24'), '10.1.2.0/24');
    assert.equal(networkOf('10.1.2.255/25'), '10.1.2.128/25');
    assert.equal(networkOf('fd00::ffff/114'), 'fd00::c000/114');
    assert.equal(networkOf('10.1.2.3'), undefined);
  });

  it('contains, overlaps and compares as the naive twin does', () => {
    fc.assert(
      fc.property(prefixes, prefixes, (a, b) => {
        const [x, y] = [naive(a), naive(b)];
        const same = x.family === y.family;
        assert.equal(contains(rangeOf(a), rangeOf(b)), same && x.first <= y.first && y.last <= x.last);
        assert.equal(overlaps(rangeOf(a), rangeOf(b)), same && x.first <= y.last && y.first <= x.last);
        const order = x.family - y.family || Number(x.first - y.first) || Number(y.last - x.last);
        assert.equal(Math.sign(comparePrefixes(a, b)), Math.sign(order));
      }),
      { numRuns: 2000 },
    );
  });

  it('has a range whose ends are the naive ones', () => {
    fc.assert(
      fc.property(prefixes, (text) => {
        const range = rangeOf(text);
        const { first, last } = naive(text);
        assert.equal(whole(range), first);
        assert.equal(last - first + 1n, 1n << BigInt((range.family === 6 ? 128 : 32) - range.length));
        assert.equal(parsePrefix(text), text);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses what is text of another kind', () => {
    fc.assert(fc.property(fc.string(), (text) => void parsePrefix(text)));
    assert.equal(parseAddress('__proto__' as Address), undefined);
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { parseAddress } from '../../mesh/address.ts';
import { scan } from '../../mesh/scan.ts';
import type { Address } from '../../mesh/types.ts';

/** Whether a well-known parser takes the text and would write it the same. */
function isCanonical(text: string): boolean {
  if (!text.includes(':')) return Address4.isValid(text);
  try {
    return !text.includes('%') && !text.includes('/') && new Address6(text).correctForm() === text;
  } catch {
    return false;
  }
}

/** Nearly canonical: mostly zeros, so that runs compete for `::`; sometimes a group too long, upper case, or none. */
const group = fc.oneof(
  { weight: 5, arbitrary: fc.constant('0') },
  { weight: 4, arbitrary: fc.nat(0xffff).map((value) => value.toString(16)) },
  { weight: 1, arbitrary: fc.constantFrom('', '00', '0a', 'A', 'ffff', '10000', 'g', '1.2.3.4', ' ') },
);
const written = fc
  .tuple(
    fc.array(group, { maxLength: 9 }),
    fc.array(group, { maxLength: 8 }),
    fc.constantFrom(':', '::', ':::'),
  )
  .map(([head, tail, join]) => [head.join(':'), tail.join(':')].join(join));
const corrected = fc
  .array(group, { minLength: 8, maxLength: 8 })
  .map((groups) => groups.join(':'))
  .map((text) => (Address6.isValid(text) ? new Address6(text).correctForm() : text));

describe('scan', () => {
  it('takes exactly the text that a well-known parser writes', () => {
    const texts = fc.oneof(written, corrected, fc.ipV6(), fc.ipV4(), fc.string({ maxLength: 20 }));
    fc.assert(
      fc.property(texts, (text) => assert.equal(scan(text) !== undefined, isCanonical(text), text)),
      { numRuns: 20_000 },
    );
  });

  it('spells every address in one way: what it takes, it takes in that way only', () => {
    const loose = corrected.filter((text) => scan(text) !== undefined);
    fc.assert(
      fc.property(loose, (text) => {
        const long = new Address6(text).canonicalForm();
        const again = parseAddress(long.toUpperCase());
        assert.equal(again, parseAddress(text));
        if (again !== undefined) assert.deepEqual(scan(again satisfies Address), scan(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('reads no further than told', () => {
    assert.deepEqual(scan('10.1.2.3/8', 8, 8), { family: 4, length: 8, a: 0x0a010203, b: 0, c: 0, d: 0 });
    assert.deepEqual(scan('fd00::1/64', 7, 64), { ...scan('fd00::1'), length: 64 });
    assert.deepEqual(scan('::/0', 2, 0), { ...scan('::'), length: 0 });
    assert.equal(scan('fd00::1/64'), undefined);
  });
});

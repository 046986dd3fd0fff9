import assert from 'node:assert/strict';
import fc from 'fast-check';
import { podMark } from '../../mesh/pod-mark.ts';

const marks = fc.integer({ min: 1, max: 0xffff_ffff }).map((mask) => ({ mark: mask, mask }));

describe('podMark', () => {
  it('is the bit above ours, below where there is none above, and none where all are ours', () => {
    const bitOf = (mask: number) => podMark({ mark: mask, mask })?.mask;
    assert.equal(bitOf(0x1000), 0x2000);
    assert.equal(bitOf(0xc0000), 0x10_0000);
    assert.equal(bitOf(0x4000_0000), 0x8000_0000);
    assert.equal(bitOf(0x8000_0000), 0x4000_0000);
    assert.equal(bitOf(0xffff_0000), 0x8000);
    assert.equal(bitOf(0xffff_ffff), undefined);
  });

  it('is one bit, and none of ours', () => {
    fc.assert(
      fc.property(marks, (ours) => {
        const found = podMark(ours);
        if (found === undefined) return;
        assert.equal(found.mark, found.mask);
        assert.equal((found.mask & ours.mask) >>> 0, 0);
        assert.equal(Math.log2(found.mask) % 1, 0);
        assert.ok(found.mask > 0);
      }),
    );
  });
});

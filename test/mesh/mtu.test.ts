import assert from 'node:assert/strict';
import { espMtu, tunnelMtu } from '../../mesh/mtu.ts';
import type { Family } from '../../mesh/types.ts';

describe('tunnelMtu', () => {
  const cases: readonly (readonly [
    link: number,
    outer: readonly Family[],
    inner: readonly Family[],
    mtu: number,
  ])[] = [
    [1500, [4], [4, 6], 1440],
    [1500, [6], [4, 6], 1420],
    [1500, [4, 6], [4, 6], 1420],
    [9001, [4], [4], 8941],
    [1500, [], [4, 6], 1440],
    [1340, [4], [4, 6], 1280],
    [1300, [4], [4, 6], 1280],
    [1300, [4], [4], 1240],
    [500, [4], [4], 576],
  ];
  for (const [link, outer, inner, mtu] of cases)
    it(`${mtu} over ${link}, outside IPv${outer.join('+')}, inside IPv${inner.join('+')}`, () =>
      assert.equal(tunnelMtu(link, outer, inner), mtu));
});

describe('espMtu', () => {
  it('leaves room for ESP, and for UDP around it', () => {
    assert.equal(espMtu(1500, [4]), 1435);
    assert.equal(espMtu(1500, [4, 6]), 1415);
    assert.equal(espMtu(9001, [6], [4]), 8916);
  });

  it('is never too small for IPv6', () => {
    assert.equal(espMtu(1300, [4], [4, 6]), 1280);
  });
});

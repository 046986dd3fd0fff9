import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type EspSizes, espMtu, tunnelMtu } from '../../mesh/mtu.ts';
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
  const GCM = { iv: 8, block: 4, icv: 16 };
  const CBC_SHA384 = { iv: 16, block: 16, icv: 24 };
  const cases: readonly (readonly [
    link: number,
    outer: readonly Family[],
    sizes: readonly EspSizes[],
    mtu: number,
  ])[] = [
    // 1438 + 2 of trailer is 1440, a multiple of 4; with headers of 20 + 8 + 8 + 8, and 16 behind, it is 1500.
    [1500, [4], [GCM], 1438],
    [1500, [], [GCM], 1438],
    [1500, [6], [GCM], 1418],
    [1500, [4, 6], [GCM], 1418],
    [1499, [4], [GCM], 1434],
    [9001, [6], [GCM], 8918],
    // 1422 + 2 is 1424, 89 blocks; 1424 + 20 + 8 + 8 + 16 + 24 is 1500.
    [1500, [4], [CBC_SHA384], 1422],
    [1499, [4], [CBC_SHA384], 1406],
    [1500, [6], [CBC_SHA384], 1390],
    // Whatever takes most.
    [1500, [4], [GCM, CBC_SHA384], 1422],
  ];
  for (const [link, outer, sizes, mtu] of cases)
    it(`${mtu} over ${link}, outside IPv${outer.join('+')}, ${JSON.stringify(sizes)}`, () =>
      assert.equal(espMtu(link, { outer, inner: [4, 6], sizes }), mtu));

  it('is never too small for IPv6', () => {
    assert.equal(espMtu(1300, { outer: [4], inner: [4, 6], sizes: [GCM] }), 1280);
    assert.equal(espMtu(1300, { outer: [4], inner: [4], sizes: [GCM] }), 1238);
  });

  it('is the largest payload that fits, whatever the algorithm', () => {
    const size = fc.record({
      iv: fc.constantFrom(8, 16),
      block: fc.constantFrom(4, 16),
      icv: fc.constantFrom(16, 24, 32),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1400, max: 9200 }),
        fc.constantFrom<Family>(4, 6),
        size,
        (link, family, of) => {
          const mtu = espMtu(link, { outer: [family], inner: [4], sizes: [of] });
          assert.ok(packet(mtu, family, of) <= link && packet(mtu + 1, family, of) > link);
        },
      ),
    );
  });

  /** Byte by byte: padded until it is whole blocks. */
  function packet(payload: number, family: Family, { iv, block, icv }: EspSizes): number {
    let padded = payload + 2;
    while (padded % block !== 0) padded++;
    return (family === 4 ? 20 : 40) + 8 + 8 + iv + padded + icv;
  }
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Claimant, ClaimIndex } from '../../mesh/claim-index.ts';
import { type Claim, type Contentions, compareAge, claimsOf as freshClaims } from '../../mesh/claims.ts';
import { overlaps } from '../../mesh/range.ts';
import type { NodeRecord } from '../../mesh/types.ts';
import { generationsText, recordOf } from './fixtures.ts';

/** Who contends with whom, as text. */
function contentionText({ rivals, covered, disjoint }: Contentions): unknown {
  const name = ({ owner, text }: { owner: NodeRecord; text: string }): string => `${owner.name} ${text}`;
  return {
    disjoint,
    rivals: Array.from(rivals, ([claim, others]) => [name(claim), others.map(name).sort()].join()).sort(),
    covered: Array.from(
      covered,
      ([claim, inside]) => `${name(claim)}: ${typeof inside === 'string' ? inside : inside.name}`,
    ).sort(),
  };
}

function answers(index: ClaimIndex<Claimant>): unknown {
  const disputes = Array.from(index.disputes, ([key, nodes]) =>
    [key, nodes.toSorted(compareAge).map(({ name }) => name)].join(),
  );
  return { ...(contentionText(index.contentions) as object), disputes: disputes.sort() };
}

/** Forty Nodes, of which every fifth claims some of another's. */
const pool = Array.from({ length: 40 }, (_, i) =>
  recordOf(i + 1, {
    ...(i % 5 === 0
      ? { 'sheath.dev/prefixes': `10.100.${i}.0/24,10.100.${i + 2}.0/${23 + (i % 3)},192.0.2.${i + 3}/32` }
      : {}),
    ...(i % 7 === 0 ? { 'sheath.dev/generations': generationsText(`n${i + 2}`, 7) } : {}),
  }),
);

const claims = new Map(pool.map((record) => [record, freshClaims(record)]));
const claimsOf = (record: NodeRecord): readonly Claim[] => claims.get(record) ?? [];
const remember = (record: NodeRecord): Claimant => ({ record, claims: claimsOf(record), seen: 0 });

describe('ClaimIndex', () => {
  it('answers after any changes as one that is built anew', () => {
    const sets = fc.array(fc.subarray(pool), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(sets, (steps) => {
        const kept = new ClaimIndex(remember);
        for (const records of steps) {
          kept.update(records);
          const fresh = new ClaimIndex(remember, 0);
          fresh.update(records);
          assert.deepEqual(answers(kept), answers(fresh));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with a look at every pair', () => {
    fc.assert(
      fc.property(fc.subarray(pool), (records) => {
        const index = new ClaimIndex(remember);
        index.update(records);
        const all = records.flatMap((record) => claimsOf(record));
        const meets = all.flatMap((a) =>
          all
            .filter((b) => a.owner !== b.owner && overlaps(a, b))
            .map((b) => `${a.owner.name} ${a.text} ${b.owner.name} ${b.text}`),
        );
        const found = Array.from(index.contentions.rivals, ([a, others]) =>
          others.map((b) => `${a.owner.name} ${a.text} ${b.owner.name} ${b.text}`),
        ).flat();
        assert.deepEqual(found.sort(), meets.sort());
      }),
    );
  });
});

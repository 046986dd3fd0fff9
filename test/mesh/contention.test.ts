import assert from 'node:assert/strict';
import { keyContenders } from '../../mesh/plan.ts';
import type { Evidence, MeshPlan } from '../../mesh/types.ts';
import { address, config, generationsText, key, noEvidence, prefix, recordOf, vouchFor } from './fixtures.ts';
import { peersOf, planOf } from './planning.ts';

const P = 'sheath.dev/prefixes';
const E = 'sheath.dev/endpoints';
const G = 'sheath.dev/generations';

describe('who is right', () => {
  const claim = '10.200.0.0/24';
  const older = recordOf(2, { [P]: claim });
  const younger = recordOf(3, { [P]: claim });
  const winners = (result: MeshPlan): readonly string[] =>
    result.peers.filter(({ prefixes }) => prefixes.length > 0).map(({ node }) => node);
  const podCIDRs = (...uids: readonly string[]): Evidence => ({
    ...noEvidence,
    nodes: new Map(
      [older, younger].map(({ uid }) => [
        uid,
        { podCIDRs: uids.includes(uid) ? [prefix('10.200.0.0/23')] : [], addresses: [] },
      ]),
    ),
  });

  const cases: readonly (readonly [string, Evidence, string, readonly string[]])[] = [
    ['nobody was asked', noEvidence, 'n2', ['n2', 'n3']],
    ['the older is vouched for', podCIDRs(older.uid), 'n2', []],
    ['the younger is vouched for', podCIDRs(younger.uid), 'n3', []],
    ['both are', podCIDRs(older.uid, younger.uid), 'n2', []],
    ['neither is', podCIDRs(), 'n2', []],
  ];
  for (const [name, evidence, winner, contested] of cases)
    it(name, () => {
      const result = planOf([younger, older], { evidence });
      assert.deepEqual(winners(result), [winner]);
      assert.deepEqual(result.contested, contested);
      const [refusal] = result.refused;
      assert.equal(refusal?.code, 'PREFIX_CLAIMED');
      assert.equal(refusal?.inFavourOf, winner);
      assert.match(refusal?.message ?? '', /10\.200\.0\.0\/24 contends with 10\.200\.0\.0\/24 of n[23]/);
    });

  it('by uid when both Nodes were made in the same second', () => {
    const same = { ...younger, createdAt: older.createdAt };
    assert.deepEqual(winners(planOf([same, older])), ['n2']);
    assert.deepEqual(winners(planOf([{ ...same, uid: 'a' }, older])), ['n3']);
  });

  it('by age before uid', () => {
    assert.deepEqual(winners(planOf([{ ...younger, uid: 'a' }, older])), ['n2']);
  });

  it('an older Node that swallows two others is heard after them, one that swallows one is not', () => {
    const wide = recordOf(2, { [P]: '10.200.0.0/16' });
    const [one, two] = ['10.200.0.0/24,10.200.1.0/24', '10.200.2.0/24'].map((text, i) =>
      recordOf(3 + i, { [P]: text }),
    );
    assert.ok(one && two);
    const result = planOf([wide, one, two]);
    assert.deepEqual(winners(result), ['n3', 'n4']);
    assert.match(result.refused[0]?.message ?? '', /covers claims of several Nodes/);
    assert.deepEqual(
      result.contested,
      ['n2'],
      'the others need not be read as long as nobody vouches for it',
    );
    const vouched = new Map([[wide.uid, { podCIDRs: [prefix('10.200.0.0/16')], addresses: [] }]]);
    const asked = planOf([wide, one, two], { evidence: { ...noEvidence, nodes: vouched } });
    assert.deepEqual(asked.contested, ['n3', 'n4']);
    const refused = new Map([[wide.uid, { podCIDRs: [], addresses: [] }]]);
    const settled = planOf([wide, one, two], { evidence: { ...noEvidence, nodes: refused } });
    assert.deepEqual([winners(settled), settled.contested], [['n3', 'n4'], []]);
    assert.deepEqual(winners(planOf([wide, one])), ['n2']);
  });

  it('a refused claim takes nothing from a third', () => {
    // n3 loses 10.200.0.0/16 to n2, so n4 keeps what lies in it.
    const third = recordOf(4, { [P]: '10.200.7.0/24' });
    const wide = recordOf(3, { [P]: '10.200.0.0/16' });
    const evidence = { ...noEvidence, nodes: vouchFor([older, wide]) };
    const result = planOf([older, wide, third], {
      evidence: {
        ...evidence,
        nodes: new Map([
          ...vouchFor([older]),
          [wide.uid, { podCIDRs: [], addresses: [] }],
          [third.uid, { podCIDRs: [], addresses: [] }],
        ]),
      },
    });
    assert.deepEqual(winners(result), ['n2', 'n4']);
  });

  it('an endpoint against a prefix: whoever is vouched for', () => {
    const liar = recordOf(2, { [E]: '10.100.3.7' });
    const victim = recordOf(3);
    const nodes = new Map([...vouchFor([victim]), [liar.uid, { podCIDRs: [], addresses: [] }]]);
    assert.deepEqual(peersOf(planOf([liar, victim], { evidence: { ...noEvidence, nodes } })), [
      'n3 10.100.3.0/24 fd00:10:244:3::/64',
    ]);
  });

  describe('one endpoint', () => {
    const [thief, victim] = [recordOf(2, { [E]: '192.0.2.2,192.0.2.3' }), recordOf(3, { [E]: '192.0.2.3' })];
    const contended = address('192.0.2.3');
    const [both, none] = [vouchFor([thief, victim]), vouchFor([recordOf(2), recordOf(3, { [E]: '' })])];
    const ofVictim = new Map([...none, ...vouchFor([victim])]);
    const ofThief = new Map([...none, ...vouchFor([thief])]);
    const rows: readonly (readonly [string, Evidence['nodes'], string | undefined, string, RegExp])[] = [
      ['nobody answers there', both, undefined, 'n2', /that Node is the older one/],
      ['the older answers there', both, thief.uid, 'n2', /that Node answers there/],
      ['the younger answers there', both, victim.uid, 'n3', /that Node answers there/],
      ['a Node that is gone did', both, 'uid-of-a-node-that-left', 'n2', /that Node is the older one/],
      ['the younger does, and neither is vouched for', none, victim.uid, 'n3', /that Node answers there/],
      ['the younger does, and nobody was asked', new Map(), victim.uid, 'n3', /that Node answers there/],
      ['the younger does, the older is vouched for', ofThief, victim.uid, 'n2', /status\.addresses/],
      ['the older does, the younger is vouched for', ofVictim, thief.uid, 'n3', /status\.addresses/],
    ];
    for (const [name, nodes, holder, winner, why] of rows)
      it(name, () => {
        const endpointHolders: Evidence['endpointHolders'] =
          holder === undefined ? new Map() : new Map([[contended, holder]]);
        const result = planOf([victim, thief], { evidence: { ...noEvidence, nodes, endpointHolders } });
        const holders = result.peers.filter(({ addresses }) => addresses.includes(contended));
        assert.deepEqual(
          holders.map(({ node }) => node),
          [winner],
        );
        const [refusal] = result.refused;
        assert.deepEqual(
          [refusal?.code, refusal?.endpoint, refusal?.inFavourOf],
          ['ENDPOINT_CLAIMED', contended, winner],
        );
        assert.match(refusal?.message ?? '', why);
      });

    it('inside the pods of another Node takes nothing of them, unless pods are where prefixes come from', () => {
      const inside = recordOf(2, { [E]: '192.0.2.2,10.100.3.7' });
      const owner = recordOf(3, { [P]: '10.100.3.0/24' });
      const evidence = { ...noEvidence, nodes: vouchFor([inside, owner]) };
      const [refusal, ...others] = planOf([inside, owner], { evidence }).refused;
      assert.deepEqual([refusal?.node, refusal?.code, others], ['n2', 'ENDPOINT_CLAIMED', []]);
      assert.match(refusal?.message ?? '', /spec\.podCIDRs/);
      const fromPods = planOf([inside, owner], { evidence, config: { ...config, prefixSource: 'pods' } });
      assert.deepEqual(
        fromPods.refused.map(({ node, code }) => [node, code]),
        [['n3', 'PREFIX_CLAIMED']],
      );
    });

    it('is kept against a prefix around it that is vouched for', () => {
      const around = recordOf(2, { [P]: '192.0.2.3/32' });
      const evidence = {
        ...noEvidence,
        nodes: vouchFor([around, victim]),
        endpointHolders: new Map([[contended, victim.uid]]),
      };
      const result = planOf([around, victim], { evidence });
      assert.deepEqual(
        result.refused.map(({ node, code }) => [node, code]),
        [['n2', 'PREFIX_CLAIMED']],
      );
    });
  });

  it('one key: the older Node is tried first, then whoever the agent names', () => {
    const cloned = recordOf(3, { [G]: generationsText('n2', 7) });
    const first = planOf([recordOf(2), cloned]);
    assert.deepEqual(
      peersOf(first).map((text) => text.slice(0, 2)),
      ['n2'],
    );
    assert.deepEqual(keyContenders(first), [
      { publicKey: key('n2 7'), holder: 'n2', others: [{ node: 'n3', uid: 'uid-00003' }] },
    ]);
    const keyHolders = new Map([[key('n2 7'), 'uid-00003']]);
    const second = planOf([recordOf(2), cloned], { evidence: { ...noEvidence, keyHolders } });
    assert.deepEqual(
      peersOf(second).map((text) => text.slice(0, 2)),
      ['n3'],
    );
    assert.deepEqual(keyContenders(second), [
      { publicKey: key('n2 7'), holder: 'n3', others: [{ node: 'n2', uid: 'uid-00002' }] },
    ]);
    const gone = new Map([[key('n2 7'), 'uid-of-a-node-that-left']]);
    assert.deepEqual(planOf([recordOf(2), cloned], { evidence: { ...noEvidence, keyHolders: gone } }), first);
  });

  it('one key of three: all are tried in turn', () => {
    const three = [recordOf(2), ...[3, 4].map((i) => recordOf(i, { [G]: generationsText('n2', 7) }))];
    let evidence: Evidence = noEvidence;
    const tried = [0, 1, 2, 3].map(() => {
      const [contention] = keyContenders(planOf(three, { evidence }));
      assert.equal(contention?.others.length, 2);
      evidence = { ...noEvidence, keyHolders: new Map([[key('n2 7'), contention?.others[0]?.uid ?? '']]) };
      return contention?.holder;
    });
    assert.deepEqual(tried, ['n2', 'n3', 'n4', 'n2']);
  });

  it('a node that lost one generation keeps the other', () => {
    const text = JSON.stringify([
      ...JSON.parse(generationsText('n2', 6)),
      ...JSON.parse(generationsText('n3', 7)),
    ]);
    const mixed = recordOf(3, { [G]: text });
    const two = recordOf(2, { [G]: generationsText('n2', 6, 7) });
    const both = recordOf(1, { [G]: generationsText('n1', 6, 7) });
    const result = planOf([two, mixed], { self: both });
    assert.deepEqual(
      result.peers.map(({ links }) => links.map(({ generation }) => generation)),
      [[6, 7], [7]],
    );
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { keyContenders, type PlanInput, plan } from '../../mesh/plan.ts';
import type { Evidence, MeshConfig, MeshPlan, NodeRecord, ProblemCode, Refusal } from '../../mesh/types.ts';
import { config, generationsText, key, noEvidence, prefix, recordOf, vouchFor } from './fixtures.ts';

const self = recordOf(1);

function planOf(others: readonly NodeRecord[], changes: Partial<PlanInput> = {}): MeshPlan {
  return plan({ self, records: [self, ...others], config, evidence: noEvidence, ...changes });
}

function peersOf({ peers }: MeshPlan): readonly string[] {
  return peers.map(({ node, prefixes }) => `${node} ${prefixes.join(' ')}`);
}

function codesOf(result: MeshPlan, node?: string): readonly ProblemCode[] {
  return result.refused
    .filter((refusal) => node === undefined || refusal.node === node)
    .map(({ code }) => code);
}

const P = 'sheath.dev/prefixes';
const E = 'sheath.dev/endpoints';
const G = 'sheath.dev/generations';

describe('plan', () => {
  it('is this, for two nodes', () => {
    const [n1, n2] = [
      recordOf(1, { [G]: generationsText('n1', 6, 7) }),
      recordOf(2, { [G]: generationsText('n2', 6, 7) }),
    ];
    const keepalive: MeshConfig = { ...config, wireguard: { ...config.wireguard, keepalive: 25 } };
    assert.deepEqual(plan({ self: n1, records: [n2, n1], config: keepalive, evidence: noEvidence }), {
      self: 'n1',
      encryption: 'wireguard',
      mode: 'permissive',
      scope: 'pods',
      devices: [
        {
          name: 'sheath0',
          generation: 6,
          driver: 'wireguard',
          port: 51830,
          mtu: 'auto',
          addresses: ['10.100.1.0/32', 'fd00:10:244:1::/128'],
          keepalive: 0,
        },
        {
          name: 'sheath1',
          generation: 7,
          driver: 'wireguard',
          port: 51831,
          mtu: 'auto',
          addresses: ['10.100.1.0/32', 'fd00:10:244:1::/128'],
          keepalive: 25,
        },
      ],
      peers: [
        {
          node: 'n2',
          uid: 'uid-00002',
          links: [
            { generation: 6, device: 'sheath0', driver: 'wireguard', publicKey: key('n2 6'), port: 51830 },
            { generation: 7, device: 'sheath1', driver: 'wireguard', publicKey: key('n2 7'), port: 51831 },
          ],
          endpoint: '192.0.2.2',
          allowedIPs: ['10.100.2.0/24', '192.0.2.2/32', '2001:db8::3/128', 'fd00:10:244:2::/64'],
          prefixes: ['10.100.2.0/24', 'fd00:10:244:2::/64'],
          addresses: ['192.0.2.2', '2001:db8::3'],
        },
      ],
      refused: [],
      contested: [],
      routing: config.routing,
      ownPrefixes: ['10.100.1.0/24', 'fd00:10:244:1::/64'],
      ownAddresses: ['192.0.2.1', '2001:db8::2'],
      exempt: [],
    });
  });

  it('has nothing with encryption none', () => {
    const result = planOf([recordOf(2)], { config: { ...config, encryption: 'none' } });
    assert.deepEqual([result.devices, result.peers, result.refused], [[], [], []]);
  });

  it('skips our own Node, also under an older uid', () => {
    const old = { ...self, uid: 'uid-old', generations: recordOf(9).generations };
    assert.deepEqual(codesOf(planOf([old, { ...recordOf(8), uid: self.uid }])), []);
  });

  it('gives the same object for a record that did not change, and for equal configuration', () => {
    const [a, b] = [recordOf(2), recordOf(3)];
    const first = planOf([a, b]);
    const second = planOf([a, recordOf(3, { [E]: '192.0.2.99' })], { config: structuredClone(config) });
    assert.equal(second.peers[0], first.peers[0]);
    assert.notEqual(second.peers[1], first.peers[1]);
    const other = planOf([a, b], { config: { ...config, nodePrefixes: [prefix('192.0.2.0/28')] } });
    assert.notDeepEqual(other.peers, []);
    assert.notEqual(other.peers[0], first.peers[0]);
  });

  it('takes the first endpoint of a family we have, IPv4 first', () => {
    assert.equal(planOf([recordOf(2)]).peers[0]?.endpoint, '192.0.2.2');
    const six = recordOf(1, { [E]: '2001:db8::2' });
    assert.equal(planOf([recordOf(2)], { self: six }).peers[0]?.endpoint, '2001:db8::3');
    const result = planOf([recordOf(2, { [E]: '192.0.2.2' })], { self: six });
    assert.deepEqual(codesOf(result), ['NO_COMMON_FAMILY']);
    assert.deepEqual(result.peers, []);
  });

  it('gives no device address where every prefix is a single pod', () => {
    const single = recordOf(1, { [P]: '10.100.1.4/32,10.100.1.5/32,fd00::1/128' });
    assert.deepEqual(planOf([], { self: single }).devices[0]?.addresses, []);
    const mixed = recordOf(1, { [P]: '10.100.1.4/32,10.101.0.0/24' });
    assert.deepEqual(planOf([], { self: mixed }).devices[0]?.addresses, ['10.101.0.0/32']);
  });
});

interface Bad {
  readonly name: string;
  /** Written by node 77, whose good record the others know. */
  readonly annotations: Record<string, string>;
  readonly codes: readonly ProblemCode[];
  /** Whether it is still a peer, with what was good of it. */
  readonly stays: boolean;
  readonly config?: Partial<MeshConfig>;
}

const own10 = '10.100.77.0/24';
const kinds: readonly Bad[] = [
  {
    name: 'the key of another',
    annotations: { [G]: generationsText('n50', 7) },
    codes: ['KEY_CLAIMED'],
    stays: false,
  },
  { name: 'our own key', annotations: { [G]: generationsText('n1', 7) }, codes: ['KEY_OWN'], stays: false },
  {
    name: 'a zero key',
    annotations: {
      [G]: `[{"generation":7,"driver":"wireguard","publicKey":"${'A'.repeat(43)}=","port":51831}]`,
    },
    codes: ['KEY_INVALID', 'NO_COMMON_GENERATION'],
    stays: false,
  },
  {
    name: 'the prefix of another',
    annotations: { [P]: `${own10},10.100.50.0/24` },
    codes: ['PREFIX_CLAIMED'],
    stays: true,
  },
  {
    name: 'a prefix inside that of another',
    annotations: { [P]: `${own10},10.100.50.128/25` },
    codes: ['PREFIX_CLAIMED'],
    stays: true,
  },
  {
    name: "an address of another's pod",
    annotations: { [P]: `${own10},fd00:10:244:32::5/128` },
    codes: ['PREFIX_CLAIMED'],
    stays: true,
  },
  {
    name: 'a prefix around that of another',
    annotations: { [P]: `${own10},10.100.50.0/23` },
    codes: ['PREFIX_CLAIMED'],
    stays: true,
  },
  {
    name: 'a prefix around all others',
    annotations: { [P]: `${own10},10.96.0.0/12` },
    codes: ['PREFIX_OWN'],
    stays: true,
  },
  {
    name: 'a prefix around half the others',
    annotations: { [P]: `${own10},10.100.128.0/17` },
    codes: ['PREFIX_CLAIMED'],
    stays: true,
  },
  {
    name: 'everything',
    annotations: { [P]: `${own10},0.0.0.0/0,::/0` },
    codes: ['PREFIX_INVALID', 'PREFIX_INVALID'],
    stays: true,
  },
  {
    name: 'our own prefix',
    annotations: { [P]: `${own10},10.100.1.0/24` },
    codes: ['PREFIX_OWN'],
    stays: true,
  },
  {
    name: 'a part of our own prefix',
    annotations: { [P]: `${own10},10.100.1.64/26` },
    codes: ['PREFIX_OWN'],
    stays: true,
  },
  {
    name: 'a prefix around node addresses',
    annotations: { [P]: `${own10},192.0.2.128/25` },
    codes: ['PREFIX_CLAIMED'],
    stays: true,
  },
  {
    name: 'a prefix around our address',
    annotations: { [P]: `${own10},192.0.2.1/32` },
    codes: ['PREFIX_OWN'],
    stays: true,
  },
  {
    name: 'a prefix around its own address',
    annotations: { [P]: `${own10},192.0.2.77/32` },
    codes: ['PREFIX_INVALID'],
    stays: true,
  },
  {
    name: 'the endpoint of another',
    annotations: { [E]: '192.0.2.77,192.0.2.50' },
    codes: ['ENDPOINT_CLAIMED'],
    stays: true,
  },
  {
    name: 'only the endpoint of another',
    annotations: { [E]: '192.0.2.50' },
    codes: ['ENDPOINT_CLAIMED', 'ENDPOINT_MISSING'],
    stays: false,
  },
  {
    name: 'an endpoint that is a pod of another',
    annotations: { [E]: '192.0.2.77,10.100.50.4' },
    codes: ['ENDPOINT_CLAIMED'],
    stays: true,
  },
  {
    name: 'our own endpoint',
    annotations: { [E]: '192.0.2.77,192.0.2.1' },
    codes: ['ENDPOINT_OWN'],
    stays: true,
  },
  {
    name: 'an endpoint that is a pod of ours',
    annotations: { [E]: '192.0.2.77,10.100.1.4' },
    codes: ['ENDPOINT_OWN'],
    stays: true,
  },
  { name: 'no endpoint', annotations: { [E]: '' }, codes: ['ENDPOINT_MISSING'], stays: false },
  {
    name: 'an endpoint outside of nodePrefixes',
    annotations: { [E]: '192.0.2.77,203.0.113.9' },
    codes: ['ENDPOINT_INVALID'],
    stays: true,
    config: { nodePrefixes: [prefix('192.0.2.0/24'), prefix('2001:db8::/64')] },
  },
  {
    name: 'an endpoint inside clusterPrefixes',
    annotations: { [E]: '192.0.2.77,10.127.0.9' },
    codes: ['ENDPOINT_INVALID'],
    stays: true,
    config: { clusterPrefixes: [prefix('10.96.0.0/11'), prefix('fd00::/16')] },
  },
  {
    name: 'a prefix outside of clusterPrefixes',
    annotations: { [P]: `${own10},198.51.100.0/24` },
    codes: ['PREFIX_INVALID'],
    stays: true,
    config: { clusterPrefixes: [prefix('10.96.0.0/11'), prefix('fd00::/16')] },
  },
  {
    name: 'a prefix inside nodePrefixes',
    annotations: { [P]: `${own10},198.51.100.0/24` },
    codes: ['PREFIX_INVALID'],
    stays: true,
    config: { nodePrefixes: [prefix('192.0.2.0/24'), prefix('198.51.100.0/23'), prefix('2001:db8::/64')] },
  },
  {
    name: '10,000 prefixes',
    annotations: { [P]: Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`).join() },
    codes: ['RECORD_TOO_LARGE'],
    stays: true,
  },
  {
    name: 'a JSON bomb',
    annotations: { [G]: '['.repeat(100_000) },
    codes: ['RECORD_TOO_LARGE', 'NO_COMMON_GENERATION'],
    stays: false,
  },
  {
    name: 'a generation nobody has',
    annotations: { [G]: generationsText('n77', 9) },
    codes: ['NO_COMMON_GENERATION'],
    stays: false,
  },
  {
    name: 'another driver',
    annotations: { [G]: `[{"generation":7,"driver":"ipsec","publicKey":"${key('x')}"}]` },
    codes: ['NO_COMMON_GENERATION'],
    stays: false,
  },
  {
    name: 'nothing',
    annotations: { [G]: '', [E]: '', [P]: '', 'sheath.dev/sending': '' },
    codes: ['RECORD_MALFORMED', 'NO_COMMON_GENERATION', 'ENDPOINT_MISSING'],
    stays: false,
  },
];

describe('one bad record of 200', () => {
  const good = Array.from({ length: 198 }, (_, i) => recordOf(i < 75 ? i + 2 : i + 3));
  const truth = vouchFor([...good, recordOf(77)]);
  const ranks: readonly (readonly [string, string, ReadonlyMap<string, never> | typeof truth])[] = [
    ['older than all, and the API server asked', '2020-01-01T00:00:00Z', truth],
    ['younger than all, and nobody asked yet', '2030-01-01T00:00:00Z', new Map()],
  ];
  for (const bad of kinds)
    for (const [who, createdAt, nodes] of ranks)
      it(`${bad.name} (${who}) costs the other 198 nothing`, () => {
        const record = { ...recordOf(77, bad.annotations), createdAt };
        const keyHolders = new Map([[key('n50 7'), 'uid-00050']]);
        const input = { config: { ...config, ...bad.config }, evidence: { nodes, keyHolders } };
        const without = planOf(good, input);
        const result = planOf([...good, record], input);
        assert.equal(without.peers.length, 198);
        assert.deepEqual(without.refused, []);
        const others = {
          ...result,
          peers: result.peers.filter(({ node }) => node !== 'n77'),
          refused: [],
          contested: [],
        };
        assert.equal(JSON.stringify(others), JSON.stringify({ ...without, contested: [] }));
        assert.deepEqual(codesOf(result), bad.codes);
        assert.ok(result.refused.every(({ node, uid }) => node === 'n77' && uid === 'uid-00077'));
        assert.equal(
          result.peers.some(({ node }) => node === 'n77'),
          bad.stays,
        );
        assert.deepEqual(result.contested.length > 0 && nodes.size > 0, false);
      });
});

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

describe('a plan', () => {
  /** Few addresses, so that nearly all contend. */
  const claims = fc.record({
    [P]: fc
      .uniqueArray(
        fc.constantFrom(
          '10.0.0.0/8',
          '10.0.0.0/16',
          '10.0.0.0/24',
          '10.0.0.128/25',
          '10.0.1.0/24',
          '10.1.0.0/16',
          '10.100.1.0/24',
        ),
        { maxLength: 3 },
      )
      .map((list) => list.join()),
    [E]: fc
      .uniqueArray(
        fc.constantFrom('10.0.0.5', '192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '2001:db8::1'),
        { maxLength: 2 },
      )
      .map((list) => list.join()),
    [G]: fc.constantFrom('a', 'b', 'c', 'd', 'n1').map((name) => generationsText(name, 7)),
  });
  const records = fc
    .array(claims, { minLength: 1, maxLength: 7 })
    .map((list) => list.map((annotations, i) => recordOf(i + 2, annotations)));
  const evidences = fc.record({ asked: fc.boolean(), vouched: fc.array(fc.nat(6)), holder: fc.nat(8) });

  const evidenceOf = (
    list: readonly NodeRecord[],
    { asked, vouched, holder }: { asked: boolean; vouched: number[]; holder: number },
  ): Evidence => ({
    nodes: asked
      ? new Map([
          ...list.map(({ uid }) => [uid, { podCIDRs: [], addresses: [] }] as const),
          ...vouchFor(list.filter((_, i) => vouched.includes(i))),
        ])
      : new Map(),
    keyHolders: new Map([[key('a 7'), `uid-0000${holder}`]]),
  });

  it('is the same in whatever order the records come, and whatever was planned before', () => {
    fc.assert(
      fc.property(records, evidences, fc.infiniteStream(fc.nat()), (list, seed, dice) => {
        const evidence = evidenceOf(list, seed);
        const shuffled = list
          .map((record) => ({ record: structuredClone(record), at: dice.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ record }) => record);
        const first = JSON.stringify(planOf(list, { evidence }));
        planOf(list.slice(1), { evidence });
        planOf(list, { evidence: noEvidence });
        assert.equal(JSON.stringify(planOf(list, { evidence })), first);
        assert.equal(JSON.stringify(planOf(shuffled, { evidence, self: structuredClone(self) })), first);
      }),
      { numRuns: 500 },
    );
  });

  it('never gives one address or key to two, and never our own', () => {
    fc.assert(
      fc.property(records, evidences, (list, seed) => {
        const result = planOf(list, { evidence: evidenceOf(list, seed) });
        const seen = new Map<string, string>();
        for (const peer of [...result.peers]) {
          for (const item of [...peer.links.map(({ publicKey }) => publicKey), ...peer.addresses]) {
            assert.equal(seen.get(item), undefined, item);
            seen.set(item, peer.node);
          }
          assert.ok(peer.addresses.includes(peer.endpoint));
          for (const other of result.peers) {
            if (other === peer) continue;
            for (const ours of peer.allowedIPs)
              for (const theirs of other.allowedIPs) assert.ok(!meet(ours, theirs), `${ours} ${theirs}`);
          }
          for (const ip of peer.allowedIPs)
            for (const ours of ['10.100.1.0/24', '192.0.2.1/32']) assert.ok(!meet(ip, ours));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('names every Node: as a peer, or with the reason why not', () => {
    fc.assert(
      fc.property(records, (list) => {
        const result = planOf(list);
        const named = new Set(
          [...result.peers, ...result.refused].map(({ node }: { node: string } | Refusal) => node),
        );
        assert.deepEqual([...named].sort(), list.map(({ name }) => name).sort());
      }),
    );
  });
});

/** Whole numbers again; IPv4 only, the claims above hold nothing else. */
function meet(a: string, b: string): boolean {
  const [x, y] = [range4(a), range4(b)];
  return x !== undefined && y !== undefined && x[0] <= y[1] && y[0] <= x[1];
}

function range4(text: string): readonly [number, number] | undefined {
  const [address = '', length = '32'] = text.split('/');
  if (address.includes(':')) return undefined;
  const first = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return [first, first + 2 ** (32 - Number(length)) - 1];
}

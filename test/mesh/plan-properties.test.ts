import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Evidence, NodeRecord, Refusal } from '../../mesh/types.ts';
import { address, generationsText, key, noEvidence, recordOf, vouchFor } from './fixtures.ts';
import { planOf, self } from './planning.ts';

const P = 'sheath.dev/prefixes';
const E = 'sheath.dev/endpoints';
const G = 'sheath.dev/generations';

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
    endpointHolders: new Map([[address('192.0.2.3'), `uid-0000${holder}`]]),
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

  it('never takes from a Node the endpoint at which it answers, whoever is vouched for there too', () => {
    const proved = address('192.0.2.3');
    fc.assert(
      fc.property(records, (list) => {
        const own = recordOf(9, { [G]: generationsText('n9', 7), [E]: proved, [P]: '' });
        const younger = { ...own, createdAt: '2030-01-01T00:00:00Z' };
        const all = [...list, younger];
        const result = planOf(all, {
          evidence: {
            ...noEvidence,
            nodes: vouchFor(all),
            endpointHolders: new Map([[proved, younger.uid]]),
          },
        });
        assert.equal(result.peers.find(({ addresses }) => addresses.includes(proved))?.node, 'n9');
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

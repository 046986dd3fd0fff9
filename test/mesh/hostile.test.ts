/** Everything from the API is untrusted: one bad record of 200, of each kind. */
import assert from 'node:assert/strict';
import type { Address, MeshConfig, ProblemCode } from '../../mesh/types.ts';
import {
  address,
  config,
  generationsText,
  key,
  noEvidence,
  prefix,
  recordOf,
  signingKey,
  vouchFor,
} from './fixtures.ts';
import { codesOf, planOf } from './planning.ts';

const P = 'sheath.dev/prefixes';
const E = 'sheath.dev/endpoints';
const G = 'sheath.dev/generations';

interface Bad {
  readonly name: string;
  /** Written by node 77, whose good record the others know. */
  readonly annotations: Record<string, string>;
  readonly codes: readonly ProblemCode[];
  /** Whether it is still a peer, with what was good of it. */
  readonly stays: boolean;
  readonly config?: Partial<MeshConfig>;
  readonly reserved?: readonly Address[];
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
    name: 'a prefix around the API server',
    annotations: { [P]: `${own10},198.51.100.0/24` },
    codes: ['PREFIX_INVALID'],
    stays: true,
    reserved: [address('198.51.100.7')],
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
    annotations: { [G]: `[{"generation":7,"driver":"ipsec","publicKey":"${signingKey('x')}"}]` },
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
        const input = {
          config: { ...config, ...bad.config },
          evidence: { ...noEvidence, nodes, keyHolders },
          reserved: bad.reserved ?? [],
        };
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

import assert from 'node:assert/strict';
import { plan } from '../../mesh/plan.ts';
import type { MeshConfig } from '../../mesh/types.ts';
import { config, generationsText, key, noEvidence, prefix, recordOf } from './fixtures.ts';
import { codesOf, planOf, self } from './planning.ts';

const P = 'sheath.dev/prefixes';
const E = 'sheath.dev/endpoints';
const G = 'sheath.dev/generations';

describe('plan', () => {
  it('is this, for two nodes', () => {
    const [n1, n2] = [
      recordOf(1, { [G]: generationsText('n1', 6, 7), 'sheath.dev/sending': '6,7' }),
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
          receiveOnly: false,
        },
        {
          name: 'sheath1',
          generation: 7,
          driver: 'wireguard',
          port: 51831,
          mtu: 'auto',
          addresses: ['10.100.1.0/32', 'fd00:10:244:1::/128'],
          keepalive: 25,
          receiveOnly: false,
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
      clusterPrefixes: [],
      nodePrefixes: [],
      prefixSource: 'podCIDRs',
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
    const sending = planOf([a, b], { self: { ...self, sending: [6, 7] } });
    assert.equal(sending.peers[0], first.peers[0]);
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

import assert from 'node:assert/strict';
import { formatPlan } from '../../cli/format/plan.ts';
import { NOW, view } from './fixtures.ts';

const plan = {
  node: 'n1',
  now: NOW,
  encryption: 'wireguard',
  changes: [],
  annotations: {},
  refused: [],
} as const;

describe('formatPlan', () => {
  it('says when there is nothing to do', () => {
    assert.equal(formatPlan(plan, view), 'n1: nothing to change, encryption is wireguard\n');
  });

  it('has a line a change, wrapped under itself, and the refused claims', () => {
    const text = formatPlan(
      {
        ...plan,
        changes: [
          { part: 'device', action: 'add', what: 'sheath1 wireguard port 51831 mtu 1420' },
          {
            part: 'peer',
            action: 'change',
            what: 'n2 allowed-ips 10.244.2.0/24,fd00:10:244:2::/64,192.0.2.12/32 endpoint 192.0.2.12:51831',
          },
          { part: 'route', action: 'remove', what: '10.244.9.0/24 dev sheath1 table 51830' },
        ],
        annotations: { 'sheath.dev/endpoints': '192.0.2.11', 'sheath.dev/prefixes': null },
        refused: [{ node: 'n4', uid: 'u4', code: 'PREFIX_CLAIMED', message: '10.244.2.0/24 belongs to n2' }],
      },
      view,
    );
    assert.equal(
      text,
      `\
n1: 5 changes, encryption is wireguard (1 to add, 2 to change, 2 to remove)
  + device      sheath1 wireguard port 51831 mtu 1420
  ~ peer        n2 allowed-ips 10.244.2.0/24,fd00:10:244:2::/64,192.0.2.12/32
                endpoint 192.0.2.12:51831
  - route       10.244.9.0/24 dev sheath1 table 51830
  ~ annotation  sheath.dev/endpoints = 192.0.2.11
  - annotation  sheath.dev/prefixes
  ! n4: 10.244.2.0/24 belongs to n2 (PREFIX_CLAIMED)
`,
    );
  });
});

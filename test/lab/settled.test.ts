import assert from 'node:assert/strict';
import { isSettled } from '../../lab/nodes/settled.ts';
import type { PeerState, PeerStatus } from '../../mesh/types.ts';
import type { MeshState } from '../../operator/status.ts';

const members = ['n1', 'n2', 'n3'];

function settled(
  encryption: 'none' | 'wireguard',
  state: MeshState,
  states: Readonly<Record<string, PeerState>>,
): boolean {
  const peers = Object.entries(states).map(
    ([node, state]): PeerStatus => ({ node, state, since: 0, receivedBytes: 0, sentBytes: 0 }),
  );
  return isSettled({ node: 'n1', state, peers }, { members, encryption });
}

describe('an agent of a lab is settled', () => {
  it('when it encrypts to each other node of the lab, whatever Nodes others have', () => {
    const well = { n2: 'routed', n3: 'routed' } as const;
    assert.equal(settled('wireguard', 'encrypted', well), true);
    assert.equal(settled('wireguard', 'partial', { ...well, worker: 'unknown' }), true);
    assert.equal(
      settled('wireguard', 'partial', { n2: 'routed', n3: 'established', worker: 'routed' }),
      false,
    );
    assert.equal(settled('wireguard', 'encrypted', { n2: 'routed', worker: 'routed' }), false);
  });

  it('without encryption, when it knows them all and has withdrawn', () => {
    const known = { n2: 'unknown', n3: 'unknown', worker: 'unknown' } as const;
    assert.equal(settled('none', 'plaintext', known), true);
    assert.equal(settled('none', 'withdrawing', known), false);
    assert.equal(settled('none', 'alone', {}), false);
  });

  it('when the move to another driver is over', () => {
    const peers = (driver: 'wireguard' | 'ipsec'): PeerStatus[] =>
      ['n2', 'n3'].map((node) => ({
        ...{ node, driver, state: 'routed', since: 0, receivedBytes: 0, sentBytes: 0 },
      }));
    const at = (driver: 'wireguard' | 'ipsec') =>
      isSettled({ node: 'n1', state: 'encrypted', peers: peers(driver) }, { members, encryption: 'ipsec' });
    assert.deepEqual([at('wireguard'), at('ipsec')], [false, true]);
  });

  it('never before its first turn', () => {
    assert.equal(
      isSettled({ node: 'n1', state: 'starting', peers: [] }, { members: ['n1'], encryption: 'wireguard' }),
      false,
    );
    assert.equal(
      isSettled({ node: 'n1', state: 'alone', peers: [] }, { members: ['n1'], encryption: 'wireguard' }),
      true,
    );
  });
});

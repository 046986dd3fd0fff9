import assert from 'node:assert/strict';
import { agentPeers, formatPeer, formatPeers, formatRefused } from '../../cli/format/peers.ts';
import { NOW, peer, SECOND, status, view } from './fixtures.ts';

const n2 = { seenBy: 'n1', ...peer('n2') };
const n3 = {
  seenBy: 'n1',
  ...peer('n3', {
    state: 'degraded',
    endpoint: '192.0.2.13:51831',
    since: NOW - 65 * SECOND,
    sentBytes: 5e9,
  }),
};
const fresh = {
  seenBy: 'n1',
  ...peer('n4', { state: 'unknown', since: NOW - 2 * SECOND, receivedBytes: 0, sentBytes: 0 }),
};
const { endpoint: _e, generation: _g, driver: _d, publicKey: _k, lastHandshake: _h, mtu: _m, ...n4 } = fresh;

describe('formatPeers', () => {
  it('fits into 80 columns', () => {
    const table = formatPeers([n2, n3, n4], view);
    assert.equal(
      table,
      `\
PEER  STATE     SINCE  ENDPOINT          GEN  HANDSHAKE  RECEIVED    SENT   MTU
n2    routed      12m  192.0.2.12:51831    1        14s    1.23Mi     148  1420
n3    degraded   1m5s  192.0.2.13:51831    1        14s    1.23Mi  4.66Gi  1420
n4    unknown      2s  -                   -          -         0       0     -
`,
    );
    assert.ok(table.split('\n').every((line) => line.length <= 80));
  });

  it('says whose view it is, when there are several', () => {
    const table = formatPeers([n2, { ...n3, seenBy: 'n2' }], view);
    assert.match(table, /^NODE {2}PEER {2}STATE .*\nn1 {4}n2 {4}routed .*\nn2 {4}n3 {4}degraded/);
  });

  it('adds driver, key, refused claims and reason with -o wide', () => {
    const table = formatPeers([n2], { ...view, wide: true });
    assert.match(table, /MTU {2}DRIVER {5}PUBLIC KEY +REFUSED {2}REASON\n/);
    assert.match(table, /1420 {2}wireguard {2}bmV2ZXIg/);
  });

  it('says when there are none', () => {
    assert.equal(formatPeers([], view), 'no peers\n');
  });
});

describe('formatPeer', () => {
  it('has a line a field', () => {
    const reason = {
      code: 'PEER_SILENT',
      message:
        'nothing came back for 3m; see that n3 is up, its agent runs and UDP 51831 is reachable from here',
    };
    assert.equal(
      formatPeer({ ...n3, ...peer('n3', { state: 'degraded', reason }), seenBy: 'n1' }, view),
      `\
Peer:        n3
Seen by:     n1
State:       degraded for 12m
Reason:      nothing came back for 3m; see that n3 is up, its agent runs and UDP
             51831 is reachable from here (PEER_SILENT)
Endpoint:    192.0.2.12:51831
Driver:      wireguard
Generation:  1
Public key:  bmV2ZXIgYSByZWFsIGtleSwgbmV2ZXIgYSByZWFsISE=
Handshake:   14s ago
Received:    1.23Mi (1288490 bytes)
Sent:        148 (148 bytes)
MTU:         1420
`,
    );
  });
});

describe('refused claims of a peer', () => {
  const claim = { node: 'n3', uid: 'u3', inFavourOf: 'n2' };
  const rows = agentPeers(
    status({
      refused: [
        { ...claim, code: 'PREFIX_CLAIMED', message: '10.244.2.0/24 is claimed by n2 too' },
        { ...claim, code: 'NO_COMMON_GENERATION', message: 'publishes no key yet' },
      ],
    }),
  );

  it('stand with it, but for what it only has not said yet', () => {
    assert.deepEqual(
      rows.map(({ node, refused }) => [node, refused?.map(({ code }) => code)]),
      [
        ['n2', undefined],
        ['n3', ['PREFIX_CLAIMED']],
      ],
    );
  });

  it('are a field of one, a column with -o wide, and lines below', () => {
    const [, n3] = rows;
    assert.ok(n3);
    const told = '10.244.2.0/24 is claimed by n2 too; n2 keeps it (PREFIX_CLAIMED)';
    assert.match(formatPeer(n3, view), /^Refused: {5}10\.244\.2\.0\/24 .*; n2 keeps it \(PREFIX_CLAIMED\)$/m);
    assert.match(formatPeers(rows, { ...view, wide: true }), /REFUSED +REASON\n.* -\s+\n.* PREFIX_CLAIMED/);
    assert.equal(formatRefused(rows, { ...view, width: 100 }), `n1 refuses of n3: ${told}\n`);
  });
});

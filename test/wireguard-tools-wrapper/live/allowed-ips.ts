/** Allowed IPs on the move: each prefix that two states have in common is some peer's at every moment. */
import assert from 'node:assert/strict';
import { type PeerChange, setconf, syncconf, type WireGuard } from 'wireguard-tools-wrapper';
import { manyPeers, manyPrefixes } from './many.ts';
import type { Implementation } from './suite.ts';

export function allowedIpSuite({ open, addDevice, ip }: Implementation): void {
  const a = `wgt${process.pid % 100_000}m`;
  let wireGuard: WireGuard;

  before(async () => {
    wireGuard = open();
    await addDevice(a);
  });

  after(async () => {
    wireGuard.close();
    await ip('link', 'del', a);
  });

  const clear = (): Promise<void> => setconf(wireGuard, a, { peers: [] });

  it('takes prefixes away from the named peer only', async () => {
    const [one, two] = manyPeers(2);
    assert.ok(one && two);
    await setconf(wireGuard, a, {
      peers: [
        { ...one, allowedIps: ['10.0.0.0/24', '10.0.1.0/24', 'fd00::/64'] },
        { ...two, allowedIps: ['10.9.0.0/24'] },
      ],
    });
    await wireGuard.set(a, {
      peers: [
        {
          publicKey: one.publicKey,
          removeAllowedIps: ['10.0.0.0/24', 'fd00::/64', '10.9.0.0/24', '192.0.2.0/24'],
        },
      ],
    });
    const { peers } = await wireGuard.show(a);
    const held = new Map(peers.map((peer) => [peer.publicKey, peer.allowedIps]));
    assert.deepEqual([held.get(one.publicKey), held.get(two.publicKey)], [['10.0.1.0/24'], ['10.9.0.0/24']]);
    assert.equal(peers.length, 2);
    await clear();
  });

  it('lets a prefix move from peer to peer, never held by none', async () => {
    const [one, two] = manyPeers(2);
    assert.ok(one && two);
    const moving = manyPrefixes(200);
    const layout = (first: boolean): readonly PeerChange[] => [
      { ...one, replaceAllowedIps: true, allowedIps: first ? moving : [] },
      { ...two, replaceAllowedIps: true, allowedIps: first ? [] : moving },
    ];
    await setconf(wireGuard, a, { peers: layout(true) });
    const watcher = open();
    let done = false;
    const watching = (async () => {
      let looks = 0;
      for (; !done; looks++) {
        const held = (await watcher.show(a)).peers.flatMap(({ allowedIps }) => allowedIps);
        assert.deepEqual(held.sort(), [...moving].sort());
      }
      return looks;
    })();
    try {
      for (let i = 0; i < 20; i++) await syncconf(wireGuard, a, { peers: layout(i % 2 === 1) });
    } finally {
      done = true;
    }
    assert.ok((await watching) > 5);
    watcher.close();
    await clear();
  });

  it('takes thousands of prefixes away one by one, and the peers stay as they are', async () => {
    const peers = manyPeers(300);
    await setconf(wireGuard, a, { peers });
    const change = peers.map(({ publicKey, allowedIps = [] }) => ({
      publicKey,
      removeAllowedIps: allowedIps.slice(0, 4),
    }));
    await wireGuard.set(a, { peers: change });
    const seen = (await wireGuard.show(a)).peers;
    assert.equal(seen.length, 300);
    const left = new Map(peers.map(({ publicKey, allowedIps = [] }) => [publicKey, allowedIps.slice(4)]));
    for (const peer of seen) {
      assert.deepEqual(peer.allowedIps, left.get(peer.publicKey));
      assert.ok(peer.endpoint);
    }
    await clear();
  });
}

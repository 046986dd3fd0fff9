/** One suite for both implementations: what one writes, the real `wg` reads, and the other way round. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  addconf,
  dump,
  dumpAll,
  type PeerChange,
  PrivateKey,
  setconf,
  showconf,
  syncconf,
  type WireGuard,
  WireGuardError,
} from 'wireguard-tools-wrapper';
import { config, configPair, configText, expectedDump } from './arbitraries.ts';
import { manyPeers, manyPrefixes } from './many.ts';
import { ConfigFiles, canonicalDump, run, sortedDump } from './oracle.ts';

export interface Implementation {
  open(): WireGuard;
  /** Makes a device; `ip link del` removes it again. */
  addDevice(name: string): Promise<void>;
  /** ip(8) where the devices are. */
  ip(...args: string[]): Promise<unknown>;
}

const RUNS = { numRuns: 12, endOnFailure: true };

export function liveSuite({ open, addDevice, ip }: Implementation): void {
  const a = `wgt${process.pid % 100_000}a`;
  const b = `wgt${process.pid % 100_000}b`;
  let wireGuard: WireGuard;
  let files: ConfigFiles;

  before(async () => {
    wireGuard = open();
    files = new ConfigFiles();
    await addDevice(a);
    await addDevice(b);
  });

  after(async () => {
    wireGuard.close();
    files.close();
    await ip('link', 'del', a);
    await ip('link', 'del', b);
  });

  const wgDump = (device: string): Promise<string> => run('wg', 'show', device, 'dump');
  const clear = (): Promise<void> => setconf(wireGuard, a, { peers: [] });

  it('lists the devices that wg lists', async () => {
    const listed = (await run('wg', 'show', 'interfaces')).trim().split(/\s+/);
    const ours = (names: readonly string[]): string[] =>
      names.filter((name) => name === a || name === b).sort();
    assert.deepEqual(ours(await wireGuard.interfaces()), ours(listed));
    assert.deepEqual(ours(listed), [a, b]);
  });

  it('writes what wg reads, every setting', async () => {
    await fc.assert(
      fc.asyncProperty(config, async (wanted) => {
        await setconf(wireGuard, a, wanted);
        assert.deepEqual(canonicalDump(await wgDump(a)), canonicalDump(expectedDump(wanted)));
      }),
      RUNS,
    );
  });

  it('reads what wg writes, every setting', async () => {
    await fc.assert(
      fc.asyncProperty(config, async (wanted) => {
        await files.apply('setconf', a, configText(wanted));
        assert.deepEqual(canonicalDump(await dump(wireGuard, a)), canonicalDump(expectedDump(wanted)));
      }),
      RUNS,
    );
  });

  it('parses the text that wg prints, and wg takes ours', async () => {
    await fc.assert(
      fc.asyncProperty(config, async (wanted) => {
        await setconf(wireGuard, a, configText(wanted));
        await clear();
        await setconf(wireGuard, a, configText(wanted));
        const text = await showconf(wireGuard, a);
        const printed = await run('wg', 'showconf', a);
        assert.deepEqual(text.split('\n').sort(), printed.split('\n').sort());
        await clear();
        await setconf(wireGuard, a, printed);
        assert.deepEqual(canonicalDump(await dump(wireGuard, a)), canonicalDump(expectedDump(wanted)));
      }),
      { ...RUNS, numRuns: 6 },
    );
  });

  it('syncs as wg syncs, and the second time writes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(configPair, async ([first, second]) => {
        await files.apply('setconf', a, configText(first));
        await syncconf(wireGuard, a, second);
        const ours = canonicalDump(await wgDump(a));
        assert.equal(await syncconf(wireGuard, a, second), undefined);
        await clear();
        await files.apply('setconf', b, configText(first));
        await files.apply('syncconf', b, configText(second));
        assert.deepEqual(ours, canonicalDump(await wgDump(b)));
        await setconf(wireGuard, b, { peers: [] });
      }),
      RUNS,
    );
  });

  it('adds as wg adds', async () => {
    const [first, second] = fc.sample(configPair, { numRuns: 1, seed: 7 })[0] ?? [];
    assert.ok(first && second);
    await files.apply('setconf', a, configText(first));
    await addconf(wireGuard, a, configText(second));
    const ours = canonicalDump(await wgDump(a));
    await clear();
    await files.apply('setconf', b, configText(first));
    await files.apply('addconf', b, configText(second));
    assert.deepEqual(ours, canonicalDump(await wgDump(b)));
    await setconf(wireGuard, b, { peers: [] });
  });

  it('leaves alone what a change does not name, and clears what it calls null', async () => {
    const [first] = fc.sample(config, { numRuns: 1, seed: 3 });
    assert.ok(first);
    const secret = PrivateKey.generate();
    await setconf(wireGuard, a, { ...first, privateKey: secret, fwmark: 0x1000 });
    const before = await wireGuard.show(a);
    await wireGuard.set(a, {});
    assert.deepEqual(canonicalDump(await dump(wireGuard, a)), canonicalDump(await wgDump(a)));
    assert.equal((await wireGuard.show(a)).privateKey?.equals(secret), true);
    await wireGuard.set(a, { privateKey: null, fwmark: null });
    const after = await wireGuard.show(a);
    assert.deepEqual([after.privateKey, after.publicKey, after.fwmark], [undefined, undefined, 0]);
    assert.equal(after.peers.length, before.peers.length);
  });

  it('carries thousands of peers both ways', async function () {
    this.timeout(60_000);
    const peers = manyPeers(2000);
    await setconf(wireGuard, a, { privateKey: PrivateKey.generate(), peers });
    const seen = await wireGuard.show(a);
    assert.equal(seen.peers.length, 2000);
    const printed = await wgDump(a);
    assert.deepEqual(sortedDump(await dump(wireGuard, a)), sortedDump(printed));
    const wanted = new Map(peers.map((peer) => [peer.publicKey, [...(peer.allowedIps ?? [])].sort()]));
    for (const peer of seen.peers) assert.deepEqual([...peer.allowedIps].sort(), wanted.get(peer.publicKey));
    const ours = (all: string): string[] =>
      all.split('\n').filter((line) => line.startsWith(`${a}\t`) || line.startsWith(`${b}\t`));
    const all = ours(await dumpAll(wireGuard));
    assert.equal(all.length, 2002);
    assert.deepEqual(all.sort(), ours(await run('wg', 'show', 'all', 'dump')).sort());
    await clear();
  });

  it('carries one peer whose prefixes fill several messages, both ways', async () => {
    const [peer] = manyPeers(1);
    assert.ok(peer);
    const allowedIps = manyPrefixes(4000);
    await wireGuard.set(a, { peers: [{ ...peer, replaceAllowedIps: true, allowedIps }] });
    const seen = await wireGuard.show(a);
    assert.equal(seen.peers.length, 1);
    assert.deepEqual([...(seen.peers[0]?.allowedIps ?? [])].sort(), [...allowedIps].sort());
    assert.deepEqual(canonicalDump(await dump(wireGuard, a)), canonicalDump(await wgDump(a)));
    await wireGuard.set(a, { peers: [{ publicKey: peer.publicKey, removeAllowedIps: allowedIps.slice(1) }] });
    assert.deepEqual((await wireGuard.show(a)).peers[0]?.allowedIps, allowedIps.slice(0, 1));
    await clear();
  });

  it('does not make a peer that was to be updated only', async () => {
    const [peer] = manyPeers(1);
    assert.ok(peer);
    await clear();
    await wireGuard.set(a, { peers: [{ ...peer, updateOnly: true, allowedIps: manyPrefixes(3000) }] });
    assert.deepEqual((await wireGuard.show(a)).peers, []);
  });

  it('answers many questions asked at once', async () => {
    const changes = manyPeers(30).map((peer) => wireGuard.set(a, { peers: [peer] }));
    const views = Array.from({ length: 10 }, () => wireGuard.show(a));
    await Promise.all([...changes, ...views, wireGuard.interfaces()]);
    assert.equal((await wireGuard.show(a)).peers.length, 30);
    await clear();
  });

  it('names what is wrong by a stable code', async () => {
    const refused = async (attempt: Promise<unknown>, code: string): Promise<void> =>
      assert.rejects(attempt, (error) => error instanceof WireGuardError && error.code === code);
    await refused(wireGuard.show('wgtnone'), 'NO_SUCH_DEVICE');
    await refused(wireGuard.set('wgtnone', { fwmark: 1 }), 'NO_SUCH_DEVICE');
    await refused(wireGuard.show('a-name-that-is-too-long'), 'INVALID');
    await refused(wireGuard.set(a, { listenPort: 65_536 }), 'INVALID');
    const [peer] = manyPeers(1);
    assert.ok(peer);
    await refused(
      wireGuard.set(a, { fwmark: 9, peers: [{ ...peer, allowedIps: ['10.0.0.0/33'] }] }),
      'INVALID',
    );
    assert.equal((await wireGuard.show(a)).fwmark, 0);
    const closed = open();
    closed.close();
    await refused(closed.show(a), 'CLOSED');
  });

  it('shows handshakes and counters, and refuses a port that is taken', async () => {
    const [first, second] = [PrivateKey.generate(), PrivateKey.generate()];
    const peer = (other: PrivateKey, port: number): PeerChange => ({
      publicKey: other.publicKey(),
      endpoint: { address: '127.0.0.1', port },
      persistentKeepalive: 1,
      allowedIps: ['198.51.100.0/24'],
    });
    await ip('link', 'set', 'lo', 'up');
    await ip('link', 'set', a, 'up');
    await ip('link', 'set', b, 'up');
    await setconf(wireGuard, a, { privateKey: first, listenPort: 42_001, peers: [] });
    // Only one end begins: two handshakes that cross cost both another 5 s (REKEY_TIMEOUT), and may cross again.
    const answering = { publicKey: first.publicKey(), allowedIps: ['198.51.100.0/24'] };
    await setconf(wireGuard, b, { privateKey: second, listenPort: 42_002, peers: [answering] });
    await wireGuard.set(a, { peers: [peer(second, 42_002)] });
    const shaken = await until(async () => {
      const [seen] = (await wireGuard.show(a)).peers;
      return seen?.latestHandshake !== undefined && seen.receivedBytes > 0 && seen.sentBytes > 0
        ? seen
        : undefined;
    });
    assert.ok(Math.abs(Date.now() - (shaken.latestHandshake ?? 0)) < 60_000);
    assert.equal(shaken.protocolVersion, 1);
    await until(async () => {
      const [ours, printed] = [await dump(wireGuard, a), await wgDump(a)];
      return ours === printed ? true : undefined; // a keepalive may fall between the two
    });
    const taken = wireGuard.set(a, { listenPort: 42_002 });
    await assert.rejects(taken, (error) => error instanceof WireGuardError && error.code === 'PORT_TAKEN');
  });
}

/** The first answer that is not undefined; fails when none comes within thirty seconds. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 600; i++) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new assert.AssertionError({ message: 'it did not come in thirty seconds' });
}

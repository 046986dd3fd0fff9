// kernel suite: kernels all
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import {
  type Device,
  hasKernelWireGuard,
  KernelWireGuard,
  PrivateKey,
  syncconf,
} from 'wireguard-tools-wrapper';
import { allowedIpSuite } from '../wireguard-tools-wrapper/live/allowed-ips.ts';
import { config } from '../wireguard-tools-wrapper/live/arbitraries.ts';
import { manyPeers, manyPrefixes } from '../wireguard-tools-wrapper/live/many.ts';
import { run } from '../wireguard-tools-wrapper/live/oracle.ts';
import { type Implementation, liveSuite } from '../wireguard-tools-wrapper/live/suite.ts';

const kernel: Implementation = {
  open: () => new KernelWireGuard(),
  addDevice: async (name) => {
    await run('ip', 'link', 'add', name, 'type', 'wireguard');
  },
  ip: (...args) => run('ip', ...args),
};

describe('wireguard-tools-wrapper on the kernel', () => {
  it('finds the kernel able', async () => assert.equal(await hasKernelWireGuard(), true));

  describe('beside wg', () => liveSuite(kernel));
  describe('with prefixes on the move', () => allowedIpSuite(kernel));
  describe('with prefixes on the move, without WGALLOWEDIP_F_REMOVE_ME', () => {
    allowedIpSuite({ ...kernel, open: () => new KernelWireGuard({ removeMe: false }) });
  });
  describe('under traffic', trafficSuite);

  it('reads the same, whatever it knows from before', async () => {
    const wireGuard = new KernelWireGuard();
    const name = `wgt${process.pid % 100_000}k`;
    await kernel.addDevice(name);
    let known: Device | undefined;
    await fc.assert(
      fc.asyncProperty(config, async (wanted) => {
        await syncconf(wireGuard, name, wanted);
        known = await wireGuard.show(name, { known });
        assert.deepEqual(known, await wireGuard.show(name));
        const again = await wireGuard.show(name, { known });
        assert.ok(again.peers.every((peer, i) => peer === known?.peers[i]));
      }),
      { numRuns: 40, endOnFailure: true },
    );
    await run('ip', 'link', 'del', name);
    wireGuard.close();
  });

  it('knows a device of another kind', async () => {
    const wireGuard = new KernelWireGuard();
    await assert.rejects(wireGuard.show('lo'), { code: 'NOT_WIREGUARD' });
    wireGuard.close();
  });
});

/** Sends one packet after another to every prefix and counts those that the kernel refuses: ENOKEY, nobody holds it. */
const SENDER = `
const { createSocket } = require('node:dgram');
const { parentPort, workerData } = require('node:worker_threads');
const socket = createSocket('udp4');
let sent = 0, refused = 0, stopped = false;
parentPort.on('message', (word) => {
  if (word === 'stop') stopped = true;
  else { parentPort.postMessage({ sent, refused }); sent = refused = 0; }
});
function next(i) {
  if (stopped) return socket.close(() => parentPort.close());
  socket.send('x', 9, workerData[i % workerData.length], (error) => {
    sent++;
    if (error) refused++;
    setImmediate(next, i + 1);
  });
}
next(0);
`;

function trafficSuite(): void {
  const device = `wgt${process.pid % 100_000}t`;

  it('moves prefixes between peers, and no packet finds nobody', async function () {
    this.timeout(60_000);
    const wireGuard = new KernelWireGuard();
    await kernel.addDevice(device);
    await run('ip', 'link', 'set', device, 'up');
    await run('ip', 'route', 'add', '10.0.0.0/8', 'dev', device);
    const [one, two] = manyPeers(2).map(({ publicKey }) => publicKey);
    assert.ok(one && two);
    const prefixes = manyPrefixes(4000); // more than one message holds
    const moving = prefixes.slice(0, 40).filter((prefix) => prefix.endsWith('/32'));
    const rest = { endpoint: { address: '127.0.0.1', port: 9 }, replaceAllowedIps: true };
    const layout = (first: boolean) => ({
      peers: [
        { ...rest, publicKey: one, allowedIps: first ? prefixes : [] },
        { ...rest, publicKey: two, allowedIps: first ? [] : prefixes },
      ],
    });
    await wireGuard.set(device, { privateKey: PrivateKey.generate(), ...layout(true) });
    const targets = moving.map((prefix) => prefix.replace('/32', ''));
    const sender = new Worker(SENDER, { eval: true, workerData: targets });
    const count = async (): Promise<{ sent: number; refused: number }> => {
      sender.postMessage('count');
      return (await once(sender, 'message'))[0];
    };
    try {
      await count();
      for (let i = 0; i < 10; i++) await syncconf(wireGuard, device, layout(i % 2 === 1));
      const { sent, refused } = await count();
      assert.ok(sent > 20, `${sent} sent`);
      assert.equal(refused, 0, `${refused} of ${sent} packets found nobody`);
      await wireGuard.set(device, { replacePeers: true }); // the detector can see it
      await count();
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.ok((await count()).refused > 0);
    } finally {
      sender.postMessage('stop');
      await once(sender, 'exit');
      await run('ip', 'link', 'del', device);
      wireGuard.close();
    }
  });
}

/** The dataplane on this kernel: started by `dataplane.test.ts` and `test/kernel/tunnels.test.ts`, in a namespace of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Part, Report } from '../../../tunnels/dataplane.ts';
import { openNetlink } from '../../../tunnels/netlink/rtnetlink.ts';
import { desired, publicKey, routing } from '../states.ts';
import { actualLines, expectedLines } from './expected.ts';
import { nothing, shape, takeBack } from './fixture.ts';
import {
  ip,
  type Machine,
  makeUnderlay,
  open,
  removeUnderlay,
  snapshot,
  userspace,
  withWireGuard,
} from './machine.ts';

const texts = (report: Report) => report.changes.map(({ part, action, what }) => `${part} ${action} ${what}`);

describe(`dataplane with ${userspace ? 'wireguard-go' : "the kernel's WireGuard"}`, () => {
  let machine: Machine;
  let before: string;

  beforeEach(async () => {
    await makeUnderlay();
    before = snapshot();
    machine = await open();
  });

  afterEach(async () => {
    await takeBack(machine);
    await machine.close();
    removeUnderlay();
  });

  it('brings up what the plan says, and takes back all of it', async () => {
    const report = await machine.set(desired(shape));
    assert.deepEqual(report.errors, []);
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
    const [device] = report.devices;
    assert.equal(device?.implementation, userspace ? 'userspace' : 'kernel');
    assert.equal(device?.mtu, 1420);
    const back = await takeBack(machine);
    assert.deepEqual(back.errors, []);
    assert.equal(snapshot(), before);
  });

  it('writes nothing the second time, nor after a restart', async () => {
    await machine.set(desired(shape));
    const writes = machine.writes();
    assert.deepEqual((await machine.set(desired(shape))).changes, []);
    await machine.observe();
    assert.deepEqual((await machine.set(desired(shape))).changes, []);
    assert.equal(machine.writes(), writes);
    const restarted = await open();
    assert.deepEqual((await restarted.set(desired(shape))).changes, []);
    assert.equal(restarted.writes(), 0);
    await restarted.close();
    await takeBack(machine);
  });

  it('previews what it then does, and changes nothing by that', async () => {
    const preview = await machine.preview(desired(shape));
    assert.equal(snapshot(), before);
    assert.equal(machine.writes(), 0);
    const report = await machine.set(desired(shape));
    assert.deepEqual(
      preview.map(({ what }) => what),
      report.changes.map(({ what }) => what),
    );
    assert.deepEqual(await machine.preview(desired(shape)), []);
    await takeBack(machine);
  });

  const hands: readonly [Part, string, () => unknown][] = [
    ['route', 'IPv4 route deleted', () => ip('route del 10.244.2.0/24 table 51830')],
    ['route', 'IPv6 route deleted', () => ip('-6 route del fd00:10:244:2::/64 table 51830')],
    ['route', 'throw route deleted', () => ip('route del throw 10.244.1.0/24 table 51830')],
    ['route', 'route added', () => ip('route add 10.99.0.0/24 dev sheath1 table 51830 proto 83')],
    ['rule', 'rule deleted', () => ip('rule del priority 95')],
    ['rule', 'IPv6 rule deleted', () => ip('-6 rule del priority 94')],
    ['address', 'address deleted', () => ip('addr del 10.244.1.0/32 dev sheath1')],
    ['address', 'address added', () => ip('addr add 10.99.0.1/32 dev sheath1')],
    ['device', 'MTU changed', () => ip('link set sheath1 mtu 1300')],
    ['device', 'device taken down', () => ip('link set sheath1 down')],
    ['device', 'device deleted', () => ip('link del sheath1')],
    ['firewall', 'table deleted', () => execFileSync('nft', ['delete', 'table', 'inet', 'sheath'])],
    ['firewall', 'chain flushed', () => execFileSync('nft', ['flush', 'chain', 'inet', 'sheath', 'clamp'])],
  ];
  for (const [part, what, hand] of hands) {
    it(`is told of it and repairs it: ${what}`, async () => {
      const wanted = desired(shape);
      await machine.set(wanted);
      await sleep(100);
      const told = new Promise((resolve) => machine.watch(resolve, new AbortController().signal));
      hand();
      await told;
      await sleep(50);
      const report = await machine.set(wanted);
      assert.deepEqual(report.errors, []);
      assert.ok(
        report.changes.some((change) => change.part === part && change.repaired === true),
        texts(report).join('\n'),
      );
      assert.deepEqual(await actualLines(), expectedLines(wanted));
      await sleep(50);
      assert.deepEqual((await machine.set(wanted)).changes, []);
      await takeBack(machine);
      assert.equal(snapshot(), before);
    });
  }

  it('repairs only the peer and the allowed IP that another hand took, once they were observed', async () => {
    const wanted = desired(shape);
    await machine.set(wanted);
    await withWireGuard((wireguard) =>
      wireguard.set('sheath1', {
        peers: [
          { publicKey: publicKey(207), remove: true },
          { publicKey: publicKey(307), updateOnly: true, removeAllowedIps: ['10.244.3.0/24'] },
          { publicKey: publicKey(999), allowedIps: ['10.77.0.0/24'] },
        ],
      }),
    );
    await machine.observe();
    const report = await machine.set(wanted);
    assert.deepEqual(report.errors, []);
    assert.ok(report.changes.every(({ part, repaired }) => part === 'peer' && repaired === true));
    assert.equal(report.changes.length, 3, texts(report).join('\n'));
    assert.deepEqual(await actualLines(), expectedLines(wanted));
    await takeBack(machine);
  });

  it('puts the firewall back', async () => {
    await machine.set(desired(shape));
    const { runProgram } = await import('../../../tunnels/parts.ts');
    await runProgram('nft', ['delete', 'table', 'inet', 'sheath']);
    const restarted = await open();
    const report = await restarted.set(desired(shape));
    assert.deepEqual(texts(report), ['firewall add table inet sheath']);
    await restarted.close();
    await takeBack(machine);
  });

  it('takes back what an earlier run left in other tables and priorities', async () => {
    const elsewhere = desired(shape);
    const moved = { ...routing, table: 4000, rulePriority: 50, podTable: 4001, podRulePriority: 49 };
    const table = (n: number) => (n === routing.table ? 4000 : 4001);
    await machine.set({
      ...elsewhere,
      plan: { ...elsewhere.plan, routing: moved },
      routes: {
        routes: elsewhere.routes.routes.map((route) => ({ ...route, table: table(route.table) })),
        rules: elsewhere.routes.rules.map((rule) => ({
          ...rule,
          table: table(rule.table),
          priority: rule.priority - 45,
        })),
      },
    });
    const restarted = await open();
    await restarted.set(desired(shape));
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
    await takeBack(restarted);
    await restarted.close();
    assert.equal(snapshot(), before);
  });

  it('keeps a withdrawn device until it is silent, whatever the clock is set to', async () => {
    let wall = 1_700_000_000_000;
    let steady = 1_000_000;
    const patient = await open({ quiet: 5000, now: () => wall, steady: () => steady });
    await patient.set(desired(shape));
    const first = await patient.set(nothing);
    assert.deepEqual(first.pending, [{ device: 'sheath1', retryAfter: 5000 }]);
    assert.match(ip('-o link'), /sheath1/);
    steady += 4000;
    wall -= 3_600_000;
    assert.equal((await patient.set(nothing)).pending[0]?.retryAfter, 1000);
    steady += 1000;
    assert.deepEqual((await patient.set(nothing)).pending, []);
    assert.equal(snapshot(), before);
    await patient.close();
  });

  it('keeps a withdrawn device that somebody goes on sending to for a while, and not for ever', async () => {
    let steady = 1_000_000;
    let packets = 0n;
    const patient = await open({
      quiet: 5000,
      steady: () => steady,
      netlink: () => ({ ...openNetlink(), packets: async () => ++packets }),
    });
    await patient.set(desired(shape));
    for (const left of [300, 150, 4]) {
      assert.deepEqual((await patient.set(nothing)).pending, [
        { device: 'sheath1', retryAfter: Math.min(5000, left * 1000) },
      ]);
      steady += left === 150 ? 146_000 : 150_000;
    }
    assert.deepEqual((await patient.set(nothing)).pending, []);
    assert.equal(snapshot(), before);
    await patient.close();
  });

  it('follows the MTU of the underlay, and its strict rp_filter', async () => {
    await machine.set(desired(shape));
    ip('link set under0 mtu 9000');
    await sleep(50);
    assert.deepEqual(texts(await machine.set(desired(shape))), ['device change sheath1 mtu 8920']);
    ip('link set under0 mtu 1500');
    await takeBack(machine);
    assert.equal(snapshot(), before);
  });

  it('makes a link anew that does not establish itself, and provokes a handshake', async () => {
    await machine.set(desired(shape));
    const report = await machine.set(desired(shape, { keepalive: new Set(['n2']), restart: ['n3'] }));
    assert.equal(report.changes.length, 2, texts(report).join('\n'));
    assert.ok(texts(report).some((text) => text.includes('n2 on sheath1: keepalive 25')));
    assert.ok(texts(report).some((text) => text.includes('n3 on sheath1: restarted')));
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
    await takeBack(machine);
  });

  it('gets from any state to any other', async function () {
    this.timeout(120_000);
    const numbers = fc.uniqueArray(fc.integer({ min: 2, max: 9 }), { maxLength: 8 });
    const shapes = fc.record({
      self: fc.constant(1),
      peers: numbers.map((list) => list.sort((a, b) => a - b)),
      generations: fc.constantFrom([7], [7, 8], [8], [8, 9]),
      unrouted: fc.integer({ min: 0, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(shapes, { minLength: 2, maxLength: 5 }), async (walk) => {
        for (const step of walk) {
          const wanted = desired({ ...step, routed: step.peers.slice(step.unrouted) });
          const report = await machine.set(wanted);
          assert.deepEqual(report.errors, []);
          assert.deepEqual(await actualLines(), expectedLines(wanted));
          assert.deepEqual((await machine.set(wanted)).changes, []);
        }
        await takeBack(machine);
        assert.equal(snapshot(), before);
      }),
      // In user-mode Linux each run of ip costs ten times as much.
      { numRuns: userspace ? 8 : 2 },
    );
  });
});

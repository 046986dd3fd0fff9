/** The dataplane on this kernel: started by `dataplane.test.ts` and `test/kernel/tunnels.test.ts`, in a namespace of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Part, Report } from '../../../tunnels/dataplane.ts';
import { openNetlink } from '../../../tunnels/netlink/rtnetlink.ts';
import { routing } from '../states.ts';
import { actualLines, expectedLines } from './expected.ts';
import { nothing, shape, takeBack, useMachine } from './fixture.ts';
import { driver, ip, open, snapshot, userspace } from './machine.ts';

const texts = (report: Report) => report.changes.map(({ part, action, what }) => `${part} ${action} ${what}`);

const { desired } = driver;

describe(`dataplane with ${driver.title}`, () => {
  const here = useMachine();

  it('brings up what the plan says, and takes back all of it', async () => {
    const report = await here.machine.set(desired(shape));
    assert.deepEqual(report.errors, []);
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
    const [device] = report.devices;
    assert.equal(device?.implementation, driver.implementation);
    assert.equal(device?.mtu, driver.mtu[1500]);
    const back = await takeBack(here.machine);
    assert.deepEqual(back.errors, []);
    assert.equal(snapshot(), here.before);
  });

  it('writes nothing the second time, nor after a restart', async () => {
    await here.machine.set(desired(shape));
    const writes = here.machine.writes();
    assert.deepEqual((await here.machine.set(desired(shape))).changes, []);
    await here.machine.observe();
    assert.deepEqual((await here.machine.set(desired(shape))).changes, []);
    assert.equal(here.machine.writes(), writes);
    const restarted = await open();
    assert.deepEqual((await restarted.set(desired(shape))).changes, []);
    assert.equal(restarted.writes(), 0);
    await restarted.close();
  });

  it('previews what it then does, and changes nothing by that', async () => {
    const preview = await here.machine.preview(desired(shape));
    assert.equal(snapshot(), here.before);
    assert.equal(here.machine.writes(), 0);
    const report = await here.machine.set(desired(shape));
    assert.deepEqual(
      preview.map(({ what }) => what),
      report.changes.map(({ what }) => what),
    );
    assert.deepEqual(await here.machine.preview(desired(shape)), []);
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
      await here.machine.set(wanted);
      await sleep(100);
      const told = new Promise((resolve) => here.machine.watch(resolve, new AbortController().signal));
      hand();
      await told;
      await sleep(50);
      const report = await here.machine.set(wanted);
      assert.deepEqual(report.errors, []);
      assert.ok(
        report.changes.some((change) => change.part === part && change.repaired === true),
        texts(report).join('\n'),
      );
      assert.deepEqual(await actualLines(), expectedLines(wanted));
      await sleep(50);
      assert.deepEqual((await here.machine.set(wanted)).changes, []);
    });
  }

  it('repairs only the peer and the allowed IP that another hand took, once they were observed', async () => {
    const wanted = desired(shape);
    await here.machine.set(wanted);
    await driver.meddle();
    await here.machine.observe();
    const report = await here.machine.set(wanted);
    assert.deepEqual(report.errors, []);
    assert.ok(report.changes.every(({ part, repaired }) => part === 'peer' && repaired === true));
    assert.equal(report.changes.length, driver.repairs, texts(report).join('\n'));
    assert.deepEqual(await actualLines(), expectedLines(wanted));
  });

  it('puts the firewall back', async () => {
    await here.machine.set(desired(shape));
    const { runProgram } = await import('../../../tunnels/parts.ts');
    await runProgram('nft', ['delete', 'table', 'inet', 'sheath']);
    const restarted = await open();
    const report = await restarted.set(desired(shape));
    assert.deepEqual(texts(report), ['firewall add table inet sheath']);
    await restarted.close();
  });

  it('takes back what an earlier run left in other tables and priorities', async () => {
    const elsewhere = desired(shape);
    const moved = { ...routing, table: 4000, rulePriority: 50, podTable: 4001, podRulePriority: 49 };
    const table = (n: number) => (n === routing.table ? 4000 : 4001);
    await here.machine.set({
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
    assert.equal(snapshot(), here.before);
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
    assert.equal(snapshot(), here.before);
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
    assert.equal(snapshot(), here.before);
    await patient.close();
  });

  it('follows the MTU of the underlay, and its strict rp_filter', async () => {
    await here.machine.set(desired(shape));
    ip('link set under0 mtu 9000');
    await sleep(50);
    assert.deepEqual(texts(await here.machine.set(desired(shape))), [
      `device change sheath1 mtu ${driver.mtu[9000]}`,
    ]);
    ip('link set under0 mtu 1500');
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
          const report = await here.machine.set(wanted);
          assert.deepEqual(report.errors, []);
          assert.deepEqual(await actualLines(), expectedLines(wanted));
          assert.deepEqual((await here.machine.set(wanted)).changes, []);
        }
        await takeBack(here.machine);
        assert.equal(snapshot(), here.before);
      }),
      // In user-mode Linux each run of ip costs ten times as much.
      { numRuns: userspace ? 8 : 2 },
    );
  });
});

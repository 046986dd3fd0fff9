/** What is not ours, and what we may not do: named, and left as it is. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { desired } from '../states.ts';
import { actualLines, expectedLines } from './expected.ts';
import { shape, takeBack } from './fixture.ts';
import { ip, type Machine, makeUnderlay, open, removeUnderlay, snapshot, userspace } from './machine.ts';

describe(`what is in the way, with ${userspace ? 'wireguard-go' : "the kernel's WireGuard"}`, () => {
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

  const foreign: readonly [string, string, string, string][] = [
    ['DEVICE_FOREIGN', 'link add sheath1 type bridge', 'link del sheath1', 'sheath1'],
    ['RULE_FOREIGN', 'rule add priority 95 lookup 100', 'rule del priority 95', '--routing-rule-priority'],
    [
      'RULE_FOREIGN',
      '-6 rule add priority 94 lookup 100',
      '-6 rule del priority 94',
      '--routing-pod-rule-priority',
    ],
    [
      'TABLE_FOREIGN',
      'route add 10.9.0.0/24 dev under0 table 51830',
      'route del 10.9.0.0/24 table 51830',
      '--routing-table',
    ],
    [
      'MARK_FOREIGN',
      'rule add priority 300 fwmark 0x1000/0xf000 lookup 100',
      'rule del priority 300',
      '--routing-fwmark',
    ],
  ];
  for (const [code, add, remove, flag] of foreign) {
    it(`names what is not ours and leaves it: ${code} (${add})`, async () => {
      ip(add);
      const there = snapshot();
      const report = await machine.set(desired(shape));
      const error = report.errors.find((one) => one.code === code);
      assert.ok(error?.message.includes(flag), JSON.stringify(report.errors));
      await takeBack(machine);
      assert.equal(snapshot(), there);
      ip(remove);
      await sleep(50);
      assert.deepEqual((await machine.set(desired(shape))).errors, []);
      await takeBack(machine);
      assert.equal(snapshot(), before);
    });
  }

  it('names a rule in its way before the first peer needs one', async () => {
    ip('rule add priority 95 lookup 100');
    const alone = desired({ self: 1, peers: [], generations: [7] });
    const codes = (await machine.set(alone)).errors.map(({ code }) => code);
    ip('rule del priority 95');
    assert.deepEqual(codes, ['RULE_FOREIGN']);
    await takeBack(machine);
    assert.equal(snapshot(), before);
  });

  it('names a port that another program has', async () => {
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(51831, () => resolve()));
    const report = await machine.set(desired(shape));
    const error = report.errors.find(({ code }) => code === 'PORT_TAKEN');
    assert.ok(error?.message.includes('--wireguard-port'), JSON.stringify(report.errors));
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    assert.deepEqual((await machine.set(desired(shape))).errors, []);
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
    await takeBack(machine);
  });

  it('names the missing capability, and changes nothing without it', () => {
    const script = join(import.meta.dirname, 'unprivileged.ts');
    const printed = execFileSync(
      'setpriv',
      ['--bounding-set', '-net_admin', process.execPath, ...process.execArgv, script],
      { encoding: 'utf8' },
    );
    const report = JSON.parse(printed) as { codes: string[]; changes: unknown[] };
    assert.deepEqual(new Set(report.codes), new Set(['NOT_PERMITTED']));
    assert.deepEqual(report.changes, []);
    assert.equal(snapshot(), before);
  });
});

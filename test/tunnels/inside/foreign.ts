/** What is not ours, and what we may not do: named, and left as it is. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { shape, takeBack, useMachine } from './fixture.ts';
import { driver, ip, snapshot } from './machine.ts';

const { desired } = driver;

describe(`what is in the way, with ${driver.title}`, () => {
  const here = useMachine();

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
      const report = await here.machine.set(desired(shape));
      const error = report.errors.find((one) => one.code === code);
      assert.ok(error?.message.includes(flag), JSON.stringify(report.errors));
      await takeBack(here.machine);
      assert.equal(snapshot(), there);
      ip(remove);
      await sleep(50);
      assert.deepEqual((await here.machine.set(desired(shape))).errors, []);
      await takeBack(here.machine);
      assert.equal(snapshot(), here.before);
    });
  }

  it('names a rule in its way before the first peer needs one', async () => {
    ip('rule add priority 95 lookup 100');
    const alone = desired({ self: 1, peers: [], generations: [7] });
    const codes = (await here.machine.set(alone)).errors.map(({ code }) => code);
    ip('rule del priority 95');
    assert.deepEqual(codes, ['RULE_FOREIGN']);
    await takeBack(here.machine);
    assert.equal(snapshot(), here.before);
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
    assert.equal(snapshot(), here.before);
  });
});

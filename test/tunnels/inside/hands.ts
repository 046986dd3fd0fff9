/** Somebody else's hand at the door, and when it shuts and opens: started in a namespace of its own. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DesiredState } from '../../../tunnels/dataplane.ts';
import { openNetlink } from '../../../tunnels/netlink/rtnetlink.ts';
import { runProgram } from '../../../tunnels/parts.ts';
import { desired } from '../states.ts';
import { shape, takeBack } from './fixture.ts';
import { ip, type Machine, open, snapshot, userspace } from './machine.ts';
import { Neighbours, type Probe } from './neighbours.ts';
import { deviceless, STRICT, strict, wanted } from './strict.ts';

/** In milliseconds; in user-mode Linux, which has the kernel's WireGuard, a program takes five times as long to start. */
const SECOND = userspace ? 1000 : 3000;
/** One of each direction and family. */
const PROBES: readonly Probe[] = [
  { at: 'pod', from: '10.244.1.2', to: '10.244.2.2', port: 7001 },
  { at: 'pod', from: 'fd00:10:244:1::2', to: 'fd00:10:244:2::2', port: 7002 },
  { at: 'wire', from: '10.244.2.2', to: '10.244.1.2', port: 7003 },
  { at: 'wire', from: 'fd00:10:244:2::2', to: 'fd00:10:244:1::2', port: 7004 },
];

describe("somebody's hand at the door", () => {
  let neighbours: Neighbours;
  let machine: Machine;
  const stop = new AbortController();
  const told: string[] = [];
  let loadedAt = 0;

  before(async () => {
    neighbours = await Neighbours.create();
    machine = await open({
      run: async (program, args, options) => {
        const printed = await runProgram(program, args, options);
        if (args.includes('-f')) loadedAt = performance.now();
        return printed;
      },
    });
    machine.watch((what) => told.push(what), stop.signal);
  });
  after(async () => {
    stop.abort();
    await machine.set(wanted(deviceless));
    await machine.close();
    neighbours.close();
  });
  beforeEach(async () => {
    await machine.set(wanted(strict()));
    whole = await listed();
  });

  const nft = (command: string) => runProgram('nft', [command]);
  let whole: string;
  const listed = () => runProgram('nft', ['-s', 'list', 'table', 'inet', 'sheath']).catch(() => '');
  const backSince = async (since: number): Promise<void> => {
    for (let tries = 0; tries < 200 && told.length === 0; tries++) await sleep(20);
    assert.deepEqual(told, ['firewall']);
    assert.ok(loadedAt - since < SECOND, `${loadedAt - since} ms`);
    assert.equal(await listed(), whole);
  };

  for (const command of [
    'delete table inet sheath',
    'flush table inet sheath',
    'add table inet sheath { flags dormant; }',
    'add element inet sheath exempt4 { 10.0.0.0/8 }',
    'flush chain inet sheath door-in',
    // A map of somebody's that holds a chain of ours: it cannot go by itself.
    'add map inet sheath theirs { type ipv4_addr : verdict; elements = { 10.0.0.0 : jump door-in-4 }; }',
  ]) {
    it(`shuts it again within a second, and the guard held meanwhile: ${command}`, async () => {
      told.length = 0;
      const before = dropped(await machine.set(wanted(strict())));
      await nft(command);
      const since = performance.now();
      assert.deepEqual([...(await neighbours.send(PROBES))], []);
      await backSince(since);
      const report = await machine.set(wanted(strict()));
      assert.deepEqual(report.errors, []);
      const [repair, ...more] = report.changes;
      assert.deepEqual(more, []);
      assert.equal(repair?.repaired, true);
      assert.match(repair?.what ?? '', /^table inet sheath: inet sheath-guard held, and dropped \d+ packets/);
      assert.equal(report.door?.shut, true);
      assert.equal(report.door?.breach, undefined);
      assert.equal(dropped(report) - before, PROBES.length);
    });
  }

  it('shuts it again within a second when all is flushed, and says for how long it was open', async () => {
    const rules = await nft('list table inet witness');
    told.length = 0;
    await nft('flush ruleset');
    const at = Date.now();
    await backSince(performance.now());
    await runProgram('nft', [rules]);
    assert.deepEqual([...(await neighbours.send(PROBES))], []);
    const { changes, door } = await machine.set(wanted(strict()));
    assert.deepEqual(
      changes.map(({ what, repaired }) => [what.replaceAll(/\d+ ms, since \S+;/g, '...'), repaired]),
      [
        ['table inet sheath: the door was open for up to ... what passed is not known', true],
        ['table inet sheath-guard', true],
      ],
    );
    const { since = 0, until: shutAt = 0 } = door?.breach ?? {};
    assert.ok(since <= at && shutAt - since < 2 * SECOND, JSON.stringify({ at, since, shutAt }));
  });

  it("does nothing about others' tables", async () => {
    told.length = 0;
    const before = loadedAt;
    for (let i = 0; i < 3; i++) {
      await nft('add table inet elsewhere; delete table inet elsewhere');
      await sleep(300);
    }
    assert.deepEqual(told, []);
    assert.equal(loadedAt, before);
  });

  it('lets go of all when nothing is wanted', async () => {
    const report = await machine.set(wanted(deviceless));
    assert.deepEqual(
      report.changes.map(({ action, what }) => `${action} ${what}`),
      ['remove table inet sheath', 'remove table inet sheath-guard'],
    );
    assert.deepEqual([...(await neighbours.send(PROBES))].sort(), [7001, 7002, 7003, 7004]);
    assert.doesNotMatch(snapshot(), /sheath/);
  });
});

describe('the order of things', () => {
  let neighbours: Neighbours;
  let machine: Machine;
  let log: string[];

  before(async () => {
    neighbours = await Neighbours.create();
    machine = await open({
      run: (program, args, options) => {
        if (program === 'nft' && args.includes('-f')) log.push('nft');
        return runProgram(program, args, options);
      },
      netlink: () => {
        const netlink = openNetlink();
        return {
          ...netlink,
          write: (writes) => {
            log.push(...writes.map(({ type }) => type));
            return netlink.write(writes);
          },
        };
      },
    });
  });
  beforeEach(() => {
    log = [];
  });
  after(async () => {
    await takeBack(machine);
    await machine.close();
    neighbours.close();
  });

  const inMode = (mode: 'strict' | 'permissive'): DesiredState => {
    const all = desired(shape);
    return { ...all, plan: { ...all.plan, ...STRICT, mode } };
  };

  it('the door shuts before there is a device, and a rule', async () => {
    const { errors, door } = await machine.set(inMode('strict'));
    assert.deepEqual(errors, []);
    assert.equal(door?.shut, true);
    assert.equal(log[0], 'nft');
    assert.equal(log.filter((what) => what === 'nft').length, 1);
    assert.ok(log.includes('addRule'));
  });

  it('it opens when all else is there, and shuts again at once', async () => {
    ip('rule del priority 95');
    await sleep(50);
    await machine.set(inMode('permissive'));
    assert.deepEqual(
      log.filter((what) => what === 'nft' || what === 'addRule'),
      ['addRule', 'nft'],
    );
    log = [];
    ip('rule del priority 95');
    await sleep(50);
    await machine.set(inMode('strict'));
    assert.deepEqual(
      log.filter((what) => what === 'nft' || what === 'addRule'),
      ['nft', 'addRule'],
    );
  });

  it('it opens at once when encryption goes, though the device waits for silence', async () => {
    const report = await machine.set(wanted(deviceless));
    assert.deepEqual([...(await neighbours.send(PROBES))].sort(), [7001, 7002, 7003, 7004]);
    assert.doesNotMatch(await runProgram('nft', ['list', 'tables']), /sheath/);
    assert.equal(report.errors.length, 0);
  });
});

describe('own pods that are known by a mark', () => {
  let neighbours: Neighbours;
  let machine: Machine;

  before(async () => {
    neighbours = await Neighbours.create();
    machine = await open();
  });
  after(async () => {
    await takeBack(machine);
    await machine.close();
    neighbours.close();
  });

  it('send to other nodes through the tunnel, the host does not, and nobody else sees the mark', async () => {
    const probes: readonly Probe[] = [
      { at: 'pod', from: '10.244.1.2', to: '192.0.2.2', port: 7001 },
      { at: 'pod', from: 'fd00:10:244:1::2', to: '2001:db8::2', port: 7002 },
      { at: 'node', from: '192.0.2.1', to: '192.0.2.2', port: 7003 },
      { at: 'node', from: '2001:db8::1', to: '2001:db8::2', port: 7004 },
    ];
    const others =
      'add table inet others; add chain inet others see { type filter hook forward priority -300; }';
    const rule = (text: string) => `add rule inet others see ${text} counter`;
    await runProgram('nft', [
      [others, rule('meta mark & 0x2000 != 0'), rule('oifname "sheath1"')].join('; '),
    ]);
    const { errors } = await machine.set(desired({ ...shape, prefixSource: 'pods' }));
    assert.deepEqual(errors, []);
    assert.deepEqual([...(await neighbours.send(probes))].sort(), [7003, 7004]);
    const seen = await runProgram('nft', ['list', 'table', 'inet', 'others']);
    await runProgram('nft', ['delete table inet others']);
    assert.match(seen, /mark .* counter packets 0 /);
    assert.match(seen, /oifname "sheath1" counter packets 2 /);
  });
});

const dropped = ({
  door,
}: {
  readonly door?: { readonly dropped: readonly { packets: number }[] };
}): number => (door?.dropped ?? []).reduce((sum, { packets }) => sum + packets, 0);

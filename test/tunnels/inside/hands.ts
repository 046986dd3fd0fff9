/** Somebody else's hand at the door: started in a namespace of its own. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../../tunnels/parts.ts';
import { type Machine, open, snapshot, userspace } from './machine.ts';
import { Neighbours, type Probe } from './neighbours.ts';
import { deviceless, strict, wanted } from './strict.ts';

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

  /** The program that holds the keep. */
  const endKeep = () => runProgram('pkill', ['-KILL', '-x', '-P', String(process.pid), 'nft']);
  const flushAll = async (): Promise<ReadonlySet<number>> => {
    told.length = 0;
    const rules = await nft('list table inet witness');
    await nft('flush ruleset');
    await nft(rules);
    return neighbours.send(PROBES);
  };

  it('nothing passes when all is flushed, what came is counted, and all is back within a second', async () => {
    const before = dropped(await machine.set(wanted(strict())));
    const since = performance.now();
    assert.deepEqual([...(await flushAll())], []);
    await backSince(since);
    const report = await machine.set(wanted(strict()));
    assert.deepEqual(
      report.changes.map(({ what, repaired }) => [what.replace(/\d+ packets/, 'N packets'), repaired]),
      [
        ['table inet sheath: inet sheath-keep held, and dropped N packets meanwhile', true],
        ['table inet sheath-guard', true],
      ],
    );
    assert.equal(report.door?.breach, undefined);
    assert.equal(dropped(report) - before, PROBES.length);
  });

  it('nobody else can take the keep away, and when its program ends it is back', async () => {
    await assert.rejects(nft('delete table inet sheath-keep'), /not permitted/);
    await endKeep();
    told.length = 0;
    const keep = () => nft('list table inet sheath-keep').catch(String);
    const whole = /flags owner.*jump door-out-6/s;
    for (let tries = 0; tries < 200 && !whole.test(await keep()); tries++) await sleep(20);
    assert.match(await keep(), whole);
    assert.deepEqual((await machine.set(wanted(strict()))).changes, []);
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

  it('the inverse: without the keep what is flushed lets all pass, and it is said since when and for how long', async () => {
    stop.abort();
    await machine.close();
    machine = await open();
    await machine.set(wanted(strict()));
    await endKeep();
    while (/sheath-keep/.test(await nft('list tables'))) await sleep(20);
    const at = Date.now();
    assert.deepEqual([...(await flushAll())].sort(), [7001, 7002, 7003, 7004]);
    const { changes, door, errors } = await machine.set(wanted(strict()));
    assert.deepEqual(errors, []);
    assert.deepEqual(
      changes.map(({ what, repaired }) => [what.replaceAll(/\d+ ms, since \S+;/g, '...'), repaired]),
      [
        ['table inet sheath: the door was open for up to ... what passed is not known', true],
        ['table inet sheath-guard', true],
      ],
    );
    const { since = Infinity, until: shutAt = 0 } = door?.breach ?? {};
    assert.ok(since <= at && shutAt >= at, JSON.stringify({ at, since, shutAt }));
    assert.deepEqual([...(await neighbours.send(PROBES))], []);
  });

  it('lets go of all when nothing is wanted', async () => {
    const report = await machine.set(wanted(deviceless));
    assert.deepEqual(
      report.changes.map(({ action, what }) => `${action} ${what}`),
      ['remove table inet sheath', 'remove table inet sheath-guard'],
    );
    assert.doesNotMatch(await nft('list tables'), /sheath/);
    assert.deepEqual([...(await neighbours.send(PROBES))].sort(), [7001, 7002, 7003, 7004]);
    assert.doesNotMatch(snapshot(), /sheath/);
  });
});

const dropped = ({
  door,
}: {
  readonly door?: { readonly dropped: readonly { packets: number }[] };
}): number => (door?.dropped ?? []).reduce((sum, { packets }) => sum + packets, 0);

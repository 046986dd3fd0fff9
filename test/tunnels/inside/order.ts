/** When the door shuts and opens, and how own pods are known: started in a namespace of its own. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DesiredState } from '../../../tunnels/dataplane.ts';
import { openNetlink } from '../../../tunnels/netlink/rtnetlink.ts';
import { runProgram } from '../../../tunnels/parts.ts';
import { desired } from '../states.ts';
import { shape, takeBack } from './fixture.ts';
import { ip, type Machine, open } from './machine.ts';
import { Neighbours, type Probe } from './neighbours.ts';
import { deviceless, STRICT, wanted } from './strict.ts';

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
    const probe = { at: 'pod', from: '10.244.1.2', to: '10.244.2.2', port: 7001 } as const;
    assert.deepEqual([...(await neighbours.send([probe]))], [7001]);
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

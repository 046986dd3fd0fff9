/** What strict mode keeps for the machine's next boot: started in a namespace of its own. */
import assert from 'node:assert/strict';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BOOT_DOOR } from '../../../tunnels/firewall/boot.ts';
import { runProgram } from '../../../tunnels/parts.ts';
import { type Machine, open, stateDir } from './machine.ts';
import { Neighbours, type Probe } from './neighbours.ts';
import { deviceless, strict, wanted } from './strict.ts';

const FILE = join(stateDir('state'), BOOT_DOOR);
/** Remote pods in each direction and family, and somebody who is exempt. */
const STOPPED: readonly Probe[] = [
  { at: 'pod', from: '10.244.1.2', to: '10.244.2.2', port: 7001 },
  { at: 'pod', from: 'fd00:10:244:1::2', to: 'fd00:10:244:2::2', port: 7002 },
  { at: 'wire', from: '10.244.2.2', to: '10.244.1.2', port: 7003 },
  { at: 'wire', from: 'fd00:10:244:2::2', to: 'fd00:10:244:1::2', port: 7004 },
];
const PASSES: Probe = { at: 'pod', from: '10.244.1.2', to: '192.0.2.99', port: 7005 };

describe('the door at boot', () => {
  let neighbours: Neighbours;
  let machine: Machine;

  before(async () => {
    neighbours = await Neighbours.create();
    machine = await open();
  });
  after(async () => {
    await machine.set(wanted(deviceless));
    await machine.close();
    neighbours.close();
  });

  const nft = (...args: string[]) => runProgram('nft', args);
  const isKept = () =>
    stat(FILE).then(
      ({ mode }) => (mode & 0o777).toString(8),
      () => undefined,
    );
  const set = async (plan: Parameters<typeof wanted>[0]) => {
    const { changes, errors } = await machine.set(wanted(plan));
    return { changes: changes.map(({ action, what }) => `${action} ${what}`), errors };
  };
  /** The kernel knows nothing any more, and nobody runs. */
  const powerCut = async () => {
    await machine.close();
    for (const table of ['sheath', 'sheath-guard']) await nft('delete', 'table', 'inet', table);
  };

  it('is the door, alone and as often as it is loaded, and the agent that starts then changes nothing', async () => {
    assert.deepEqual((await set(strict())).errors, []);
    assert.equal(await isKept(), '600');
    await powerCut();
    assert.deepEqual(
      [...(await neighbours.send([...STOPPED, PASSES]))].sort(),
      [7001, 7002, 7003, 7004, 7005],
    );
    for (const _ of ['at boot', 'by hand']) {
      await nft('-j', '-f', FILE);
      assert.deepEqual([...(await neighbours.send([...STOPPED, PASSES]))], [PASSES.port]);
    }
    machine = await open();
    assert.deepEqual(await set(strict()), { changes: [], errors: [] });
  });

  it('is that of now, and none where the door is open', async () => {
    await set(strict({ exempt: [] }));
    await powerCut();
    await nft('-j', '-f', FILE);
    assert.deepEqual([...(await neighbours.send([...STOPPED, PASSES]))], []);
    machine = await open();
    await set({ ...deviceless, mode: 'permissive' });
    assert.equal(await isKept(), undefined);
  });

  it('where it cannot be kept, the door is shut all the same, and it is said', async () => {
    await mkdir(join(`${FILE}.new`, 'in the way'), { recursive: true });
    try {
      const { changes, errors } = await set(strict());
      assert.deepEqual(changes, ['add table inet sheath', 'add table inet sheath-guard']);
      assert.deepEqual(
        errors.map(({ code }) => code),
        ['BOOT_DOOR_UNWRITTEN'],
      );
      assert.deepEqual([...(await neighbours.send(STOPPED))], []);
    } finally {
      await rm(`${FILE}.new`, { recursive: true });
    }
    assert.deepEqual((await set(strict())).errors, []);
    assert.equal(await isKept(), '600');
  });
});

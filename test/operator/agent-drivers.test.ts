/** Agents whose generations are of IPsec, or go over to it; with fake kernels: the real ones are in `test/kernel`. */
import assert from 'node:assert/strict';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createNode } from '../support/nodes.ts';
import { until, useAgents } from './agents.ts';

const ipsec = (generation: string) => ({ encryption: 'ipsec', flags: { generation, rotationDrain: '5s' } });
const keysOf = (folder: string, name: string) => readdir(join(folder, name, 'state', 'keys'));

describe('an agent with IPsec', () => {
  const lab = useAgents();

  it('publishes an Ed25519 key, without a port', async () => {
    await lab.now.mesh(ipsec('1'));
    const now = await lab.now.status('n1');
    assert.deepEqual(
      now.peers.map(({ node, state, driver }) => [node, state, driver]),
      [
        ['n2', 'routed', 'ipsec'],
        ['n3', 'routed', 'ipsec'],
      ],
    );
    const published = await lab.now.annotations('n1');
    assert.deepEqual(JSON.parse(published['sheath.dev/generations'] ?? ''), [
      { generation: 1, driver: 'ipsec', publicKey: now.generations[0]?.publicKey },
    ]);
    assert.deepEqual(
      (await keysOf(lab.now.folder, 'n1')).filter((name) => name !== 'clock'),
      ['1.ipsec'],
    );
  });

  it('goes over from WireGuard, generation by generation, and lets the old key go', async () => {
    const kernels = await lab.now.mesh();
    for (const [name, kernel] of Object.entries(kernels)) {
      await lab.now.stop(name);
      await lab.now.start(name, kernel, ipsec('2'));
    }
    for (const name of ['n1', 'n2', 'n3'])
      await until(
        `${name} is there`,
        () => lab.now.status(name),
        ({ generations, peers }) =>
          generations.length === 1 &&
          peers.every(({ state, driver }) => state === 'routed' && driver === 'ipsec'),
      );
    const names = (await keysOf(lab.now.folder, 'n1')).filter((name) => name !== 'clock');
    assert.deepEqual(names, ['2.ipsec']);
    assert.equal((await lab.now.annotations('n1'))['sheath.dev/sending'], '2');
  });

  it('asked for another driver at its generation, changes nothing and says what to do', async () => {
    const { n1 } = await lab.now.mesh();
    await lab.now.stop('n1');
    const writes = n1.writes.length;
    await lab.now.start('n1', n1, ipsec('1'));
    const { problems, peers } = await until(
      'it says so',
      () => lab.now.status('n1'),
      (now) => now.problems.some(({ code }) => code === 'DRIVER_HELD'),
    );
    assert.match(problems[0]?.message ?? '', /raise spec\.generation to 2/);
    assert.deepEqual(
      peers.map(({ state }) => state),
      ['routed', 'routed'],
    );
    assert.equal(n1.writes.length, writes);
  });

  it('keeps its key when it boots with its clock behind: IKE carries no time', async () => {
    const { n1 } = await lab.now.mesh(ipsec('1'));
    const before = (await lab.now.status('n1')).generations[0]?.publicKey;
    await lab.now.stop('n1');
    const future = Date.now() / 1000 + 3600;
    await utimes(join(lab.now.folder, 'n1', 'state', 'records.json'), future, future);
    n1.reboot();
    await lab.now.start('n1', n1, ipsec('1'));
    assert.equal((await lab.now.becomes('n1', 'encrypted')).generations[0]?.publicKey, before);
  });

  it('a key that another Node publishes too stays with whoever proved to own it', async () => {
    await lab.now.mesh(ipsec('1'));
    const stolen = await lab.now.annotations('n2');
    await createNode(lab.now.target, {
      name: 'evil',
      podCIDRs: ['10.244.9.0/24'],
      addresses: ['192.0.2.9'],
      annotations: {
        ...stolen,
        'sheath.dev/endpoints': '192.0.2.9',
        'sheath.dev/prefixes': '10.244.9.0/24',
      },
    });
    const { refused, peers } = await until(
      'n1 refuses it',
      () => lab.now.status('n1'),
      (now) => now.refused.some(({ node, code }) => node === 'evil' && code === 'KEY_CLAIMED'),
    );
    assert.equal(refused[0]?.inFavourOf, 'n2');
    assert.equal(peers.find(({ node }) => node === 'n2')?.state, 'routed');
  });
});

// kernel suite: kernels newest, memory 3G, timeout 1500
/**
 * From WireGuard to IPsec and back by the commands that a person types, on real parts and under traffic: first as far as it goes, with a
 * node that cannot, then wholly, then back behind shut doors while agents are killed. The same packets from first to last: none may be
 * lost, no connection may break, and none may be seen in clear.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeNamed, startAgent, stopAgent } from '../../lab/nodes/agents.ts';
import { end } from '../../lab/processes.ts';
import type { Driver } from '../../mesh/progress.ts';
import type { EncryptionMesh } from '../../operator/config/resource.ts';
import { ipsec } from './mesh/ipsec-view.ts';
import { Mesh } from './mesh/mesh.ts';
import { Onlooker } from './rotation/onlooker.ts';

const WAIT = ['--wait', '--yes', '--timeout', '200s'] as const;

describe('moved from WireGuard to IPsec and back under traffic', function () {
  this.timeout(400_000);
  let mesh: Mesh;
  let onlooker: Onlooker;
  let intruder: ChildProcess | undefined;
  let errorsBefore: string;

  before(async () => {
    mesh = await Mesh.create({ name: 'move', through: 'resource', controller: true });
    onlooker = await Onlooker.start(mesh.lab, ipsec.mtu);
    await mesh.sheath('enable', ...WAIT);
    onlooker.lookAway();
    errorsBefore = await xfrmErrors();
  });
  after(async () => {
    if (intruder !== undefined) await end(intruder);
    await onlooker?.close();
    await mesh?.close();
  });

  it('changes nothing while a node cannot', async () => {
    intruder = await takePort('n3', 500);
    await restartAgent('n3');
    await mesh.until(({ state }) => state === 'encrypted');
    await assert.rejects(mesh.sheath('enable', '--encryption', 'ipsec', ...WAIT), {
      stderr: /nothing was changed: n3 cannot do ipsec: UDP port 500 .*--allow-partial/,
    });
    assert.deepEqual(await resource().then(({ spec }) => [spec.encryption, spec.generation ?? 1]), [
      'wireguard',
      1,
    ]);
    await onlooker.assertWell();
  });

  it('goes as far as it can, where that is allowed: whoever cannot stays, encrypted', async () => {
    const said = await onlooker.phase('partly', () =>
      mesh.sheath('enable', '--encryption', 'ipsec', '--allow-partial', ...WAIT),
    );
    assert.match(said, /moved to ipsec, generation 2: 2 of 3 Nodes.*\n {2}n3: cannot do ipsec: UDP port 500/);
    await untilDrivers({ n1: { n2: 'ipsec', n3: 'wireguard' }, n2: { n1: 'ipsec', n3: 'wireguard' } });
    await untilDrivers({ n3: { n1: 'wireguard', n2: 'wireguard' } });
    await untilCondition('Rotating', 'Partial');
    await untilCondition('Degraded', 'NodesUnable');
    await untilCondition('Encrypted', 'AllNodes');
    await onlooker.assertWell();
  });

  it('ends when that node can', async () => {
    if (intruder !== undefined) await end(intruder);
    await restartAgent('n3');
    await mesh.until(({ problems }) => problems.length === 0, 'n3');
    await onlooker.phase('the rest', () =>
      mesh.sheath('enable', '--encryption', 'ipsec', '--allow-partial', ...WAIT),
    );
    await onlooker.phase('rotated', () => mesh.sheath('enable', '--encryption', 'ipsec', ...WAIT));
    await untilDrivers(all('ipsec'));
    await untilCondition('Rotating', 'Settled');
    assert.equal((await resource()).status?.driver, 'ipsec');
    assert.deepEqual(await devices(), { n1: ['sheath0'], n2: ['sheath0'], n3: ['sheath0'] });
    await onlooker.assertWell();
  });

  it('goes back behind shut doors, while agents are killed', async () => {
    await mesh.sheath('enable', '--strict', '--cluster-prefixes', '10.244.0.0/16,fd00:10:244::/48', ...WAIT);
    await onlooker.phase('back', () =>
      Promise.all([mesh.sheath('enable', '--encryption', 'wireguard', ...WAIT), killAll()]),
    );
    await untilDrivers(all('wireguard'));
    assert.deepEqual(await devices(), { n1: ['sheath1'], n2: ['sheath1'], n3: ['sheath1'] });
    for (const { name } of mesh.lab.topology.members) {
      assert.equal((await mesh.status(name)).mode, 'strict');
      assert.equal(
        await mesh.on(name, 'ip xfrm state; ip xfrm policy'),
        '',
        `${name}: nothing of IPsec is left`,
      );
    }
    await onlooker.assertWell();
  });

  it('from first to last no packet was lost, none was refused by the kernel, and no connection broke', async () => {
    await onlooker.conclude();
    assert.equal(await xfrmErrors(), errorsBefore);
  });

  const resource = async (): Promise<EncryptionMesh> =>
    // Read from a server that checked it.
    JSON.parse(await mesh.kubectl('get', 'encryptionmesh', 'default', '-o', 'json')) as EncryptionMesh;

  async function untilCondition(type: string, reason: string): Promise<void> {
    for (;;) {
      const { status } = await resource();
      if (status?.conditions?.find((each) => each.type === type)?.reason === reason) return;
      await sleep(500);
    }
  }

  type Drivers = Readonly<Record<string, Readonly<Record<string, Driver>>>>;

  /** By whose view, and of whom. */
  async function untilDrivers(wanted: Drivers): Promise<void> {
    for (const [name, peers] of Object.entries(wanted))
      await mesh.until(
        (status) =>
          status.peers.every(({ node, state, driver }) => state === 'routed' && driver === peers[node]),
        name,
      );
  }

  function all(driver: Driver): Drivers {
    const names = mesh.lab.topology.members.map(({ name }) => name);
    const others = (self: string) =>
      Object.fromEntries(names.filter((name) => name !== self).map((name) => [name, driver]));
    return Object.fromEntries(names.map((name) => [name, others(name)]));
  }

  async function devices(): Promise<Readonly<Record<string, readonly string[]>>> {
    const found = mesh.lab.topology.members.map(async ({ name }) => {
      const links = await mesh.on(name, 'ip -o link');
      return [name, [...links.matchAll(/^\d+: (sheath\d)[@:]/gm)].map(([, device]) => device ?? '')] as const;
    });
    return Object.fromEntries(await Promise.all(found));
  }

  /** Of all nodes; with a port of charon's taken by another program nothing comes to it, so these are the kernel's. */
  async function xfrmErrors(): Promise<string> {
    const each = mesh.lab.topology.members.map(({ name }) => mesh.on(name, 'cat /proc/net/xfrm_stat'));
    return (await Promise.all(each)).join('\n');
  }

  async function restartAgent(name: string): Promise<void> {
    const node = nodeNamed(mesh.lab, name);
    await stopAgent(mesh.lab, node);
    await startAgent(mesh.lab, node);
  }

  async function killAll(): Promise<void> {
    for (const node of mesh.lab.topology.members) {
      await sleep(700);
      await stopAgent(mesh.lab, node, 'SIGKILL');
      await startAgent(mesh.lab, node);
    }
  }

  /** Another program on a port that charon needs; resolves when it has it. */
  async function takePort(name: string, port: number): Promise<ChildProcess> {
    const { netns } = nodeNamed(mesh.lab, name);
    const script = `require('dgram').createSocket('udp4').bind(${port}, () => console.log('has it'))`;
    const argv = ['netns', 'exec', netns, process.execPath, '-e', script];
    const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return child;
  }
});

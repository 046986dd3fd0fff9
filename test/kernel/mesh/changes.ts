/** Whatever happens to agents, devices and records: packets go on. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { killNode, startNode } from '../../../lab/nodes/lab.ts';
import { withBadRecords } from './bad-records.ts';
import { assertEncrypted, assertNoneLost, type Mesh } from './mesh.ts';

export function changes(mesh: () => Mesh): void {
  for (const node of ['n1', 'n2']) {
    it(`an agent killed and started again loses nothing (${node})`, async () => {
      const before = await left(mesh(), node);
      const measured = await mesh().losslessly(async () => {
        await killNode(mesh().lab, node, 'agent');
        await sleep(1000);
        await startNode(mesh().lab, node);
        await mesh().until(({ state }) => state === 'encrypted', node);
      });
      assertEncrypted(measured);
      assert.equal(await left(mesh(), node), before);
    });
  }

  it('a device deleted by hand is back within a second', async () => {
    await mesh().on('n1', 'ip link del sheath1');
    const deleted = performance.now();
    while ((await mesh().view.peers(mesh(), 'n1')) < 2) {
      assert.ok(performance.now() - deleted < 1000, 'a second is over');
      await sleep(20);
    }
    await mesh().until(({ state }) => state === 'encrypted');
    const measured = await mesh().measure({ rate: 50 });
    assertNoneLost(measured);
    assertEncrypted(measured);
  });

  it('a route and a rule deleted by hand are back', async () => {
    await mesh().on('n1', 'ip route del 10.244.2.0/24 table 51830; ip -6 rule del priority 95');
    await sleep(1000);
    assert.match(await mesh().on('n1', 'ip route show table 51830'), /^10\.244\.2\.0\/24 dev sheath1/m);
    assert.match(await mesh().on('n1', 'ip -6 rule'), /^95:/m);
  });

  it('bad records of every kind among 200 Nodes cost nobody else anything, and status names each', () =>
    withBadRecords(mesh())).timeout(400_000);

  it('a node that reboots keeps its key and comes back', async () => {
    const key = await mesh().view.publicKey(mesh(), 'n2');
    await killNode(mesh().lab, 'n2', 'node');
    await startNode(mesh().lab, 'n2');
    await mesh().until(({ state }) => state === 'encrypted');
    assert.equal(await mesh().view.publicKey(mesh(), 'n2'), key);
    const measured = await mesh().measure({ rate: 50 });
    assertNoneLost(measured);
    assertEncrypted(measured);
  });
}

/** What a former agent leaves and the next one takes over; the kernel counts down its exceptions by itself. */
async function left(mesh: Mesh, node: string): Promise<string> {
  const sessions = await mesh.view.sessions(mesh, node);
  const routing = await mesh.on(node, 'ip -d rule; ip route show table all');
  return `${sessions}${routing.replace(/ expires \d+sec/g, '')}`;
}

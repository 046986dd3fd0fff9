/**
 * What a cluster's owner does all year, on real parts and under traffic: a real kube-apiserver, the kernel's tunnels, three
 * agents, the controller, and the commands that a person types. One boot, and the same packets from the first test to the last: none
 * may be lost, no connection may break, and from the moment that `sheath enable --wait` says encrypted until `sheath disable` nobody
 * on the wire may read one.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { leftInNode } from '../../../lab/demo-leftovers.ts';
import { startAgent, stopAgent } from '../../../lab/nodes/agents.ts';
import { startController, stopController } from '../../../lab/nodes/controller.ts';
import { Mesh } from '../mesh/mesh.ts';
import type { View } from '../mesh/view.ts';
import { Onlooker } from './onlooker.ts';
import { Visitor } from './visitor.ts';

const CLUSTER_PREFIXES = '10.244.0.0/16,fd00:10:244::/48';
const WAIT = ['--wait', '--yes', '--timeout', '120s'] as const;

/** The same tests with every driver. */
export function rotationSuite(view: View): void {
  describe(`${view.encryption} enabled, rotated, closed, opened and disabled under traffic`, function () {
    const driver = ['--encryption', view.encryption] as const;
    this.timeout(150_000);
    let mesh: Mesh;
    let onlooker: Onlooker;
    let visitor: Visitor;
    const rotate = (): Promise<string> => mesh.sheath('rotate', ...WAIT);
    const assertGeneration = async (wanted: number): Promise<void> => {
      for (const { name } of mesh.lab.topology.members) {
        const { generations } = await mesh.status(name);
        assert.deepEqual(
          generations.map(({ number, sending }) => ({ number, sending })),
          [{ number: wanted, sending: true }],
          name,
        );
      }
    };

    before(async () => {
      mesh = await Mesh.create({ name: 'turn', through: 'resource', controller: true }, view);
      onlooker = await Onlooker.start(mesh.lab, view.mtu);
    });
    after(async () => {
      visitor?.close();
      await onlooker?.close();
      await mesh?.close();
    });

    it('at first the wire shows everything', async () => {
      await onlooker.phase('in clear', () => sleep(1000));
      const { clear } = onlooker.wire();
      assert.ok(clear > 1000, `what this capture cannot see, it could not miss later: ${clear} frames`);
    });

    it('sheath enable --wait', async () => {
      const said = await onlooker.phase('enable', () => mesh.sheath('enable', ...driver, ...WAIT));
      onlooker.lookAway();
      assert.match(said, /encrypted: 3 of 3 Nodes/);
      await assertGeneration(1);
      await onlooker.requireFullSize(mesh);
      // Masqueraded connections break when encryption comes or goes: these come after.
      visitor = await Visitor.open(mesh);
      await onlooker.assertWell();
    });

    it('sheath rotate --wait', async () => {
      await onlooker.phase('first rotation', rotate);
      await assertGeneration(2);
      await onlooker.assertWell();
      visitor.assertServed();
    });

    it('a rotation while agents and the controller are killed, and started again', async () => {
      await onlooker.phase('rotation while killed', () => Promise.all([rotate(), disturb('SIGKILL')]));
      await assertGeneration(3);
      await onlooker.assertWell();
      visitor.assertServed();
    });

    it('sheath enable --strict --wait', async () => {
      const said = await onlooker.phase('permissive to strict', () =>
        mesh.sheath('enable', '--strict', '--cluster-prefixes', CLUSTER_PREFIXES, ...WAIT),
      );
      assert.match(said, /encrypted: 3 of 3 Nodes/);
      for (const { name } of mesh.lab.topology.members)
        assert.equal((await mesh.status(name)).mode, 'strict');
      await onlooker.assertWell();
      visitor.assertServed();
    });

    it('a rotation behind shut doors, while agents and the controller are updated', async () => {
      await onlooker.phase('rotation while updated', () => Promise.all([rotate(), disturb('SIGTERM')]));
      await assertGeneration(4);
      for (const { name } of mesh.lab.topology.members)
        assert.deepEqual(
          (await mesh.status(name)).problems,
          [],
          `${name}: a door that stayed shut is no problem`,
        );
      await onlooker.assertWell();
      visitor.assertServed();
    });

    it('sheath enable --permissive --wait', async () => {
      await onlooker.phase('strict to permissive', () => mesh.sheath('enable', '--permissive', ...WAIT));
      await mesh.until(({ mode, state }) => mode === 'permissive' && state === 'encrypted');
      await onlooker.phase('permissive again', () => sleep(1000));
      await onlooker.assertWell();
      visitor.assertServed();
    });

    it('sheath disable --wait, and the nodes are as they were', async () => {
      visitor.close();
      await visitor.leave();
      await onlooker.phase('disable', () => mesh.sheath('disable', ...WAIT));
      onlooker.lookAway();
      await mesh.until(({ state }) => state === 'plaintext');
      for (const { name } of mesh.lab.topology.members)
        assert.deepEqual(await leftInNode(mesh.lab, name), []);
      await onlooker.phase('in clear again', () => sleep(1000));
      assert.ok(onlooker.wire().clear > 1000, 'seen again');
    });

    it('straight from clear to strict, and straight back', async () => {
      await onlooker.phase('enable --strict', () =>
        mesh.sheath('enable', ...driver, '--strict', '--cluster-prefixes', CLUSTER_PREFIXES, ...WAIT),
      );
      onlooker.lookAway();
      await onlooker.assertWell();
      await onlooker.phase('disable from strict', () => mesh.sheath('disable', ...WAIT));
      await mesh.until(({ state, mode }) => state === 'plaintext' && mode === 'permissive');
    });

    it('from first to last no packet was lost and no connection broke', () => onlooker.conclude());

    /** Each agent in turn, and the controller, with a pause between them: so at different points of a rotation. */
    async function disturb(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
      for (const node of mesh.lab.topology.members) {
        await sleep(400);
        await stopAgent(mesh.lab, node, signal);
        await startAgent(mesh.lab, node);
      }
      await stopController(mesh.lab, signal);
      await startController(mesh.lab);
    }
  });
}

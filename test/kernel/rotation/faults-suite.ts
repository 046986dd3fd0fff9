/**
 * Rotations on real parts while things go wrong, in strict mode: at random, from a seed that each test's title tells. Whatever happens,
 * nothing crosses the wire in clear, all nodes end on one generation, and all pods reach each other.
 *
 *   SHEATH_FAULT_SEED       of the first schedule; the following have the following ones
 *   SHEATH_FAULT_SCHEDULES  how many, beside those that are always played
 *   SHEATH_FAULT_SECONDS    how long a fault lasts at most; 3
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiTarget, apiTarget, call } from '../../../lab/api-client.ts';
import { type Capture, startCapture } from '../../../lab/capture/start.ts';
import { killNode, startNode } from '../../../lab/nodes/lab.ts';
import { startTraffic, type Traffic } from '../../../lab/traffic/start.ts';
import { MESH } from '../../../operator/config/resource.ts';
import { assertEncrypted, assertNoneLost, Mesh } from '../mesh/mesh.ts';
import type { View } from '../mesh/view.ts';
import { inject, livedAhead } from './faults.ts';
import { CUTS, type Fault, scheduleOf, tell } from './schedule.ts';

const NODES = ['n1', 'n2', 'n3'] as const;
const CLUSTER_PREFIXES = '10.244.0.0/16,fd00:10:244::/48';
const FIRST_SEED = Number(process.env.SHEATH_FAULT_SEED ?? randomInt(2 ** 31));
const LONGEST = Number(process.env.SHEATH_FAULT_SECONDS ?? 3) * 1000;
const RATE = 20;
const STRICT = ['--strict', '--cluster-prefixes', CLUSTER_PREFIXES, '--wait', '--yes'] as const;

/** The same tests with every driver. @param schedules how many random ones, unless the environment says */
export function faultsSuite(view: View, schedules: number): void {
  const count = Number(process.env.SHEATH_FAULT_SCHEDULES ?? schedules);

  describe(`${view.encryption}: rotations while things go wrong`, function () {
    this.timeout(180_000 + LONGEST * 4);
    let mesh: Mesh;
    let target: ApiTarget;
    let capture: Capture;
    let generation = 1;
    /** Of pods that were there when each began. */
    let traffic: Traffic[] = [];

    before(async () => {
      mesh = await Mesh.create({ name: 'faults', through: 'resource', controller: true }, view);
      target = await apiTarget(mesh.server.kubeconfigPath);
      await mesh.sheath('enable', '--encryption', view.encryption, ...STRICT);
      await mesh.until(({ state, mode }) => state === 'encrypted' && mode === 'strict');
      capture = await startCapture(mesh.lab.topology, { withoutMesh: true });
    });
    after(async () => {
      await endTraffic();
      await capture?.stop();
      await mesh?.close();
    });

    beforeEach(async () => {
      capture.reset();
      await addTraffic();
    });
    afterEach(endTraffic);

    it('a node comes back with its clock an hour behind', async () => {
      const key = await view.publicKey(mesh, 'n2');
      const answered = await livedAhead(mesh.lab, 'n2');
      assert.equal(answered, view.handshakesTellTime ? 2 : 0, 'peers that saw an hour ahead');
      await killNode(mesh.lab, 'n2', 'node');
      await startNode(mesh.lab, 'n2');
      await assertWhole();
      const kept = (await view.publicKey(mesh, 'n2')) === key;
      assert.equal(
        kept,
        !view.handshakesTellTime,
        'fresh keys where the others would refuse every handshake with the old one',
      );
    });

    for (const faults of CUTS) it(tell(faults), () => rotateThrough(faults)).timeout(300_000);

    for (let nth = 0; nth < count; nth += 1) {
      const { seed, faults } = scheduleOf({
        seed: FIRST_SEED + nth,
        nodes: NODES,
        longest: LONGEST,
        kinds: view.faults,
      });
      it(`seed ${seed}: ${tell(faults)}`, () => rotateThrough(faults));
    }

    it('a node that is passed over, and comes back two generations later', async () => {
      await killNode(mesh.lab, 'n3', 'node');
      await mesh.sheath('rotate', '--pass-over', 'n3', '--wait', '--timeout', '120s');
      await mesh.sheath('rotate', '--wait', '--timeout', '120s');
      generation += 2;
      await startNode(mesh.lab, 'n3');
      await assertWhole();
    });

    it('nothing escaped the capture', async () => {
      const { dropped } = await capture.stop();
      assert.equal(dropped, 0);
    });

    async function rotateThrough(faults: readonly Fault[]): Promise<void> {
      generation += 1;
      await rotateTo(generation);
      const rebooted = new Set<string>();
      const injected = inject(mesh.lab, faults, (node) => rebooted.add(node));
      await Promise.all([injected, speakAgain(rebooted, injected)]);
      await assertWhole();
    }

    /** As `sheath rotate` does, which is a process more. */
    async function rotateTo(wanted: number): Promise<void> {
      await call(target, {
        method: 'PATCH',
        path: MESH,
        body: { spec: { generation: wanted } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    }

    /** One generation everywhere, every door shut, nothing in clear until now; and all pods reach each other. */
    async function assertWhole(): Promise<void> {
      await mesh.until(
        ({ state, mode, generations, publish }) =>
          state === 'encrypted' &&
          mode === 'strict' &&
          generations.length === 1 &&
          generations[0]?.number === generation &&
          publish.state === 'published',
      );
      assert.deepEqual(capture.report().clearBetween, [], 'seen in clear');
      const measured = await mesh.measure({ rate: 50 }, () => sleep(500));
      assertNoneLost(measured);
      assertEncrypted(measured);
    }

    async function addTraffic(options: { readonly firstPort?: number } = {}): Promise<void> {
      traffic.push(await startTraffic(mesh.lab, { rate: RATE, firstPort: 25_000, ...options }));
    }

    /** Pods of a node that came up speak at once: its door was shut before it had a network. */
    async function speakAgain(rebooted: Set<string>, injected: Promise<void>): Promise<void> {
      let over = false;
      const end = (): void => {
        over = true;
      };
      void injected.then(end, end);
      for (let firstPort = 30_000; !over; await sleep(50)) {
        for (const node of rebooted) {
          firstPort += 100;
          // Where another node is down just now, there is nothing to bind to: then again in a moment.
          await addTraffic({ firstPort }).then(
            () => rebooted.delete(node),
            () => undefined,
          );
        }
      }
    }

    async function endTraffic(): Promise<void> {
      const all = traffic;
      traffic = [];
      await Promise.allSettled(all.map((one) => one.stop()));
    }
  });
}

/** What takes WireGuard minutes: each a story of two nodes, so that on a real kernel all can be told side by side. */
import assert from 'node:assert/strict';
import { WIREGUARD_TIMES } from '../../../mesh/wireguard-times.ts';
import { ARRIVED, becomes, LOST, slot, TRY_AGAIN } from './fates.ts';
import type { World } from './world.ts';

const { rekeyAfter, rejectAfter, rekeyAttempt, keepaliveTimeout, rekeyTimeout } = WIREGUARD_TIMES;
const SECOND = 1000;
/** Twenty tries, each up to a third of a second late; the last is waited for too. */
const GIVEN_UP = (rekeyAttempt + 22) * SECOND;
const GENERATION = 1;
const HELD = { generations: [GENERATION] };

export interface Story {
  readonly title: string;
  tell(world: World): Promise<void>;
}

export const STORIES: readonly Story[] = [
  {
    title: 'a session is renewed while packets go, and none is lost',
    async tell(world) {
      await begin(world);
      const first = await handshake(world, 1);
      // Each takes somewhat more than a second.
      for (let nth = 0; nth < rekeyAfter - 10; nth += 1) {
        await becomes(world, await world.send(1, 2), ARRIVED, `packet ${nth}`);
        if (nth === rekeyAfter / 2) assert.equal(await handshake(world, 1), first);
        await world.pass(SECOND);
      }
      assert.ok(Number(await handshake(world, 1)) > Number(first), 'another handshake');
    },
  },
  {
    title: 'whoever only hears says so after a while, once',
    async tell(world) {
      await begin(world);
      await world.pass((keepaliveTimeout + 2) * SECOND);
      const quiet = await bytes(world, 2);
      await world.send(1, 2);
      await world.pass((keepaliveTimeout - 3) * SECOND);
      assert.equal(await bytes(world, 2), quiet);
      await world.pass(5 * SECOND);
      assert.equal(await bytes(world, 2), quiet + 32);
      await world.pass(keepaliveTimeout * SECOND);
      assert.equal(await bytes(world, 2), quiet + 32, 'nobody answers an empty packet');
    },
  },
  {
    title: 'whoever is not answered makes a handshake with one that lost its sessions',
    async tell(world) {
      await begin(world);
      await world.deleteDevice(2, slot(GENERATION));
      await world.set(2, HELD);
      assert.deepEqual({ ...(await world.send(1, 2)) }, LOST);
      await world.pass((keepaliveTimeout + rekeyTimeout - 4) * SECOND);
      assert.equal(await handshake(world, 2), undefined, 'not yet');
      await world.pass(6 * SECOND);
      assert.ok((await handshake(world, 2)) !== undefined, 'by itself');
      await becomes(world, await world.send(1, 2), ARRIVED, 'n1 to n2');
    },
  },
  {
    title: 'a session that is too old is not used, and what is sent waits for the next',
    async tell(world) {
      await begin(world);
      await world.cut(2, true);
      assert.deepEqual({ ...(await world.send(1, 2)) }, LOST);
      await world.pass((rejectAfter + 5) * SECOND);
      const waiting = await world.send(1, 2);
      await world.cut(2, false);
      await world.pass(TRY_AGAIN);
      await becomes(world, waiting, ARRIVED, 'what waited');
    },
  },
  {
    title: 'a handshake that nobody answers is given up, and what waited for it is lost',
    async tell(world) {
      await world.set(1, HELD);
      const waiting = await world.send(1, 2);
      await world.pass(GIVEN_UP);
      await world.set(2, HELD);
      await world.pass(TRY_AGAIN);
      assert.equal(await handshake(world, 2), undefined);
      await becomes(world, await world.send(1, 2), ARRIVED, 'n1 to n2');
      assert.deepEqual({ ...waiting }, LOST);
    },
  },
];

async function begin(world: World): Promise<void> {
  for (const node of [1, 2]) assert.deepEqual((await world.set(node, HELD)).errors, []);
  await becomes(world, await world.send(1, 2), ARRIVED, 'n1 to n2');
}

async function handshake(world: World, node: number): Promise<number | undefined> {
  return (await world.observe(node))[0]?.lastHandshake;
}

async function bytes(world: World, node: number): Promise<number> {
  return (await world.observe(node))[0]?.sentBytes ?? 0;
}

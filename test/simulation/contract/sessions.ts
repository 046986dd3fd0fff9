/** Handshakes, keys and routes: what the simulation rests on, said of any world. */
import assert from 'node:assert/strict';
import type { Observation } from '../../../mesh/types.ts';
import { asksOf, fresh } from './asks.ts';
import { ARRIVED, becomes, IN_CLEAR, LOST, SETTLING, slot, TRY_AGAIN } from './fates.ts';
import { keyOf, type World } from './world.ts';

export function sessionContract(world: () => World): void {
  const { setAll, assertFate, bothWays, seen, established, isEstablished, mesh } = asksOf(world);

  it('a packet makes the handshake that it waits for, and both ends observe it', async () => {
    const generation = fresh();
    await setAll({ generations: [generation] });
    assert.deepEqual(await established(1, generation), []);
    await assertFate(1, 2, ARRIVED);
    await isEstablished(1, generation, keyOf(2, generation));
    await isEstablished(2, generation, keyOf(1, generation));
    await assertFate(2, 1, ARRIVED);
  });

  it('a keepalive that is set makes a handshake without a packet', async () => {
    const generation = fresh();
    await setAll({ generations: [generation], routed: [] });
    await world().set(1, { generations: [generation], routed: [], provoke: [2] });
    await isEstablished(1, generation, keyOf(2, generation));
    await bothWays(IN_CLEAR);
  });

  it('the same again changes nothing, nor does another agent', async () => {
    const generation = await mesh();
    const before = await seen(1, generation);
    assert.deepEqual((await world().set(1, { generations: [generation] })).changes, []);
    await world().restartAgent(1);
    await bothWays(ARRIVED);
    assert.deepEqual((await world().set(1, { generations: [generation] })).changes, []);
    const times = (list: readonly Observation[]) => list.map(({ lastHandshake }) => lastHandshake);
    assert.deepEqual(times(await seen(1, generation)), times(before));
    await bothWays(ARRIVED);
  });

  it('no handshake with whoever has not our key, until he has', async () => {
    const generation = fresh();
    await world().set(1, { generations: [generation] });
    await world().set(2, { generations: [generation], peers: [], routed: [] });
    const waiting = await world().send(1, 2);
    await world().pass(TRY_AGAIN);
    assert.deepEqual({ ...waiting }, LOST);
    assert.deepEqual(await established(1, generation), []);
    await world().set(2, { generations: [generation] });
    await world().pass(TRY_AGAIN);
    await becomes(world(), waiting, ARRIVED, 'what waited goes first');
    await isEstablished(2, generation, keyOf(1, generation));
  });

  it('nor with whoever is out of reach, until he is back', async () => {
    const generation = fresh();
    await setAll({ generations: [generation] });
    await world().cut(2, true);
    const waiting = await world().send(1, 2);
    await world().pass(TRY_AGAIN);
    assert.deepEqual({ ...waiting }, LOST);
    await world().cut(2, false);
    await world().pass(TRY_AGAIN);
    await becomes(world(), waiting, ARRIVED, 'what waited');
  });

  it('a peer that is made anew tries at once', async () => {
    const generation = fresh();
    const wanted = { generations: [generation], provoke: [2] };
    await world().set(2, { generations: [generation], peers: [], routed: [] });
    await world().set(1, wanted);
    await world().pass(SETTLING);
    await world().set(2, { generations: [generation] });
    await world().set(1, { ...wanted, restart: [2] });
    await isEstablished(1, generation, keyOf(2, generation));
  });

  it('a peer that had a handshake is not made anew', async () => {
    const generation = await mesh();
    const before = await seen(1, generation);
    await world().set(1, { generations: [generation], restart: [2] });
    assert.equal((await seen(1, generation))[0]?.lastHandshake, before[0]?.lastHandshake);
    await bothWays(ARRIVED);
  });

  it('two generations side by side: each end sends on its own', async () => {
    const old = await mesh();
    const young = old + 1;
    await setAll({ generations: [old, young], routesOn: old });
    await world().set(1, { generations: [old, young], routesOn: young });
    await bothWays(ARRIVED);
    await world().set(2, { generations: [old, young], routesOn: young });
    await bothWays(ARRIVED);
    await setAll({ generations: [young] });
    await bothWays(ARRIVED);
    assert.deepEqual(await seen(1, old), []);
  });

  it('a route that is not there is no way, and one way is enough', async () => {
    const generation = await mesh();
    await world().set(1, { generations: [generation], routed: [] });
    await assertFate(1, 2, IN_CLEAR);
    await assertFate(2, 1, ARRIVED);
    await world().set(1, { generations: [generation] });
    await bothWays(ARRIVED);
  });

  it('a slot that is taken by another generation keeps nothing', async () => {
    const before = await mesh();
    const generation = fresh();
    assert.equal(slot(before), slot(generation));
    await world().set(1, { generations: [generation] });
    await assertFate(2, 1, LOST);
    const waiting = await world().send(1, 2);
    await world().set(2, { generations: [generation] });
    await world().pass(TRY_AGAIN);
    await becomes(world(), waiting, ARRIVED, 'what waited');
  });
}

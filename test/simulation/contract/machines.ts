/** Doors, another hand, reboots, keys that are lost, and what is withdrawn. */
import assert from 'node:assert/strict';
import { asksOf } from './asks.ts';
import { ARRIVED, becomes, IN_CLEAR, LOST, QUIET, SETTLING, SHUT_OUT, slot, TRY_AGAIN } from './fates.ts';
import { keyOf, type World } from './world.ts';

export function machineContract(world: () => World): void {
  const { setAll, assertFate, bothWays, established, isEstablished, mesh } = asksOf(world);

  it('a door that is shut lets the tunnel pass and nothing else, in either direction', async () => {
    const generation = await mesh();
    await world().set(2, { generations: [generation], mode: 'strict' });
    await bothWays(ARRIVED);
    await world().set(2, { generations: [generation], mode: 'strict', routed: [] });
    await assertFate(2, 1, LOST);
    await world().set(1, { generations: [generation], routed: [] });
    await assertFate(1, 2, SHUT_OUT);
    await world().set(1, { generations: [generation] });
    await world().set(2, { generations: [generation] });
    await bothWays(ARRIVED);
    await setAll({ generations: [generation], routed: [] });
    await bothWays(IN_CLEAR);
  });

  it('what an agent left stays: the door too', async () => {
    const generation = await mesh({ mode: 'strict' });
    await world().restartAgent(1);
    await bothWays(ARRIVED);
    await world().deleteDevice(1, slot(generation));
    await assertFate(1, 2, LOST);
    await world().set(1, { generations: [generation], mode: 'strict' });
    await assertFate(1, 2, ARRIVED);
    await setAll({ generations: [generation] });
  });

  it('a device that is deleted by hand takes its routes along, and comes back without sessions', async () => {
    const generation = await mesh();
    await world().deleteDevice(1, slot(generation));
    await assertFate(1, 2, IN_CLEAR);
    await assertFate(2, 1, LOST);
    await world().set(1, { generations: [generation] });
    assert.deepEqual(await established(1, generation), []);
    await assertFate(2, 1, LOST);
    await assertFate(1, 2, ARRIVED);
    await assertFate(2, 1, ARRIVED);
  });

  it('a peer that is removed by hand is put back when it was missed', async () => {
    const generation = await mesh();
    await world().removePeer(1, slot(generation), keyOf(2, generation));
    await bothWays(LOST);
    await world().observe(1);
    await world().set(1, { generations: [generation] });
    await assertFate(1, 2, ARRIVED);
  });

  it('a reboot leaves nothing', async () => {
    const generation = await mesh({ mode: 'strict' });
    await world().reboot(2);
    assert.deepEqual(await world().observe(2), []);
    await assertFate(1, 2, LOST);
    await assertFate(2, 1, SHUT_OUT);
    await setAll({ generations: [generation] });
    await assertFate(2, 1, ARRIVED);
    await assertFate(1, 2, ARRIVED);
  });

  it('who comes back with its clock an hour back is refused, but not who calls him, nor a fresh key', async () => {
    const generation = await mesh();
    await world().reboot(1, 3_600_000);
    await world().set(1, { generations: [generation] });
    const waiting = await world().send(1, 2);
    await world().pass(TRY_AGAIN);
    assert.deepEqual({ ...waiting }, LOST);
    assert.deepEqual(await established(1, generation), []);
    const keys = { 1: 1 };
    await setAll({ generations: [generation], keys });
    await world().pass(TRY_AGAIN);
    await becomes(world(), waiting, ARRIVED, 'what waited');
    await isEstablished(2, generation, keyOf(1, generation, { generations: [], keys }));
  });

  it('a key that is taken in place: what others still send on the old one arrives', async () => {
    const generation = await mesh();
    const wanted = { generations: [generation], keys: { 1: 1 } };
    await world().set(1, wanted);
    await assertFate(2, 1, ARRIVED);
    const waiting = await world().send(1, 2);
    await world().pass(SETTLING);
    assert.deepEqual({ ...waiting }, LOST);
    await world().set(2, wanted);
    await world().pass(TRY_AGAIN);
    await becomes(world(), waiting, ARRIVED, 'what waited');
  });

  it('all that is withdrawn waits for silence, and lets in what comes meanwhile', async () => {
    const generation = await mesh();
    const none = { generations: [] };
    const pending = async () => (await world().set(2, none)).pending.map(({ device }) => device);
    assert.deepEqual(await pending(), [slot(generation)]);
    await assertFate(2, 1, IN_CLEAR);
    await assertFate(1, 2, ARRIVED);
    await world().pass(QUIET - 1_000);
    await assertFate(1, 2, ARRIVED);
    await world().pass(1_500);
    assert.deepEqual(await pending(), [slot(generation)]);
    await world().set(1, none);
    // An empty packet may still say that those were heard.
    for (let tries = 0; tries < 3 && (await pending()).length > 0; tries += 1)
      await world().pass(QUIET + SETTLING);
    assert.deepEqual(await world().observe(2), []);
    await bothWays(IN_CLEAR);
  });
}

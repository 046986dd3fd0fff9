/** What the simulation's verdicts rest on, said of any world: the model and a real kernel have to agree. */
import assert from 'node:assert/strict';
import type { Observation } from '../../../mesh/types.ts';
import {
  ARRIVED,
  becomes,
  IN_CLEAR,
  LOOKS,
  LOST,
  QUIET,
  SETTLING,
  SHUT_OUT,
  slot,
  TRY_AGAIN,
} from './fates.ts';
import { type Fate, keyOf, others, type Wanted, type World } from './world.ts';

export function dataplaneContract(world: () => World): void {
  let last = 0;
  /** Numbers that nothing was ever made with. */
  const fresh = (): number => {
    last += 2;
    return last - 1;
  };
  const all = () => [1, ...others(1, world().size)];
  const setAll = async (wanted: Wanted): Promise<void> => {
    for (const node of all()) assert.deepEqual((await world().set(node, wanted)).errors, []);
  };
  const assertFate = async (from: number, to: number, wanted: Fate): Promise<void> => {
    await becomes(world(), await world().send(from, to), wanted, `n${from} to n${to}`);
  };
  const bothWays = async (fate: Fate): Promise<void> => {
    await assertFate(1, 2, fate);
    await assertFate(2, 1, fate);
  };
  const seen = async (node: number, generation: number): Promise<readonly Observation[]> =>
    (await world().observe(node)).filter((one) => one.generation === generation);
  const established = async (node: number, generation: number): Promise<readonly string[]> =>
    (await seen(node, generation))
      .filter(({ lastHandshake }) => lastHandshake !== undefined)
      .map(({ publicKey }) => publicKey);
  const isEstablished = async (node: number, generation: number, key: string): Promise<void> => {
    for (let looks = 0; looks < LOOKS && !(await established(node, generation)).includes(key); looks += 1)
      await world().pass(SETTLING);
    assert.ok((await established(node, generation)).includes(key), `n${node} has a session`);
  };
  /** All nodes hold one generation, and have sessions. */
  const mesh = async (more: Omit<Wanted, 'generations'> = {}): Promise<number> => {
    const generation = fresh();
    await setAll({ generations: [generation], ...more });
    for (const from of all())
      for (const to of others(from, world().size)) if (from < to) await assertFate(from, to, ARRIVED);
    return generation;
  };

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

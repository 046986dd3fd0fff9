/** The few things that the tests of a dataplane do again and again. */
import assert from 'node:assert/strict';
import type { Observation } from '../../../mesh/types.ts';
import { ARRIVED, becomes, LOOKS, SETTLING } from './fates.ts';
import { type Fate, others, type Wanted, type World } from './world.ts';

let last = 0;
/** Numbers that nothing was ever made with. */
export function fresh(): number {
  last += 2;
  return last - 1;
}

export function asksOf(world: () => World) {
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
  return { setAll, assertFate, bothWays, seen, established, isEstablished, mesh };
}

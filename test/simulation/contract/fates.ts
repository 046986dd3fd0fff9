/** What becomes of a packet, and how long each of it takes. */
import assert from 'node:assert/strict';
import type { DeviceName } from '../../../mesh/types.ts';
import type { Fate, World } from './world.ts';

export const ARRIVED: Fate = { arrived: true, clear: false };
export const IN_CLEAR: Fate = { arrived: true, clear: true };
/** By the receiver's door, after it was on the wire. */
export const SHUT_OUT: Fate = { arrived: false, clear: true };
export const LOST: Fate = { arrived: false, clear: false };

export const slot = (generation: number): DeviceName => (generation % 2 === 0 ? 'sheath0' : 'sheath1');
export const SETTLING = 300;
/** How often a real kernel on a busy machine is looked at again: for less than the time between two tries of a handshake. */
export const LOOKS = 12;
/** Two tries of a handshake, in milliseconds. */
export const TRY_AGAIN = 5_700;
/** As long as a withdrawn device must be silent. */
export const QUIET = 5_000;

/** What comes late has come. */
export async function becomes(world: World, fate: Fate, wanted: Fate, what: string): Promise<void> {
  const same = () => fate.arrived === wanted.arrived && fate.clear === wanted.clear;
  for (let looks = 0; looks < LOOKS && !same(); looks += 1) await world.pass(SETTLING);
  assert.deepEqual({ ...fate }, wanted, what);
}

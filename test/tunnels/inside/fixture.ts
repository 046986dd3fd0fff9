/** What the suites of a real dataplane share: a mesh of four, a machine for each test, and how to take it back. */
import assert from 'node:assert/strict';
import type { Report } from '../../../tunnels/dataplane.ts';
import type { DataplaneOptions } from '../../../tunnels/ports.ts';
import { desired, type MeshShape } from '../states.ts';
import { type Machine, makeUnderlay, open, removeUnderlay, snapshot } from './machine.ts';

export const shape: MeshShape = { self: 1, peers: [2, 3, 4], generations: [7] };
export const nothing = desired({ self: 1, peers: [], generations: [] });

/** With `quiet: 0`, the first call sees the packets, and the second that there were no more. */
export async function takeBack(machine: Machine): Promise<Report> {
  let report = await machine.set(nothing);
  for (let i = 0; i < 50 && report.pending.length > 0; i++) report = await machine.set(nothing);
  return report;
}

/** A machine of its own for each test, which leaves the kernel as it was. */
export function useMachine(options: () => Partial<DataplaneOptions> = () => ({})): {
  readonly machine: Machine;
  readonly before: string;
} {
  let machine: Machine | undefined;
  let before = '';
  beforeEach(async () => {
    await makeUnderlay();
    before = snapshot();
    machine = await open(options());
  });
  afterEach(async () => {
    if (machine !== undefined) await takeBack(machine);
    await machine?.close();
    assert.equal(snapshot(), before);
    removeUnderlay();
  });
  return {
    get machine() {
      if (machine === undefined) throw new Error('no machine outside of a test');
      return machine;
    },
    get before() {
      return before;
    },
  };
}

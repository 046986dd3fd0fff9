/** What the suites of a real dataplane share: a mesh of four, and how to take it back. */
import type { Report } from '../../../tunnels/dataplane.ts';
import { desired, type MeshShape } from '../states.ts';
import type { Machine } from './machine.ts';

export const shape: MeshShape = { self: 1, peers: [2, 3, 4], generations: [7] };
export const nothing = desired({ self: 1, peers: [], generations: [] });

/** With `quiet: 0`, the first call sees the packets, and the second that there were no more. */
export async function takeBack(machine: Machine): Promise<Report> {
  let report = await machine.set(nothing);
  for (let i = 0; i < 50 && report.pending.length > 0; i++) report = await machine.set(nothing);
  return report;
}

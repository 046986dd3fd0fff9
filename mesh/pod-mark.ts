/** The mark of packets from our own pods, where those have single addresses and a rule for each would be too many. */
import type { MeshPlan } from './types.ts';

type Mark = MeshPlan['routing']['fwmark'];

/**
 * The bit next to our mark's highest, or where there is none, to its lowest. Undefined: the mark takes all 32.
 *
 * It is on a packet only while its route is looked for: set as the last thing before, taken off as the first thing after. So nobody
 * else's rules see it, CNI's portmap for one, which has bit 13.
 */
export function podMark({ mask }: Mark): Mark | undefined {
  const highest = 31 - Math.clz32(mask);
  const bit = highest < 31 ? highest + 1 : lowestBit(mask) - 1;
  if (bit < 0) return undefined;
  const value = (1 << bit) >>> 0;
  return { mark: value, mask: value };
}

/** Whether own pods are known to the routing rules by that mark, and not by their prefixes. */
export function podsAreMarked({ prefixSource, scope }: Pick<MeshPlan, 'prefixSource' | 'scope'>): boolean {
  return scope === 'pods' && prefixSource === 'pods';
}

const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);

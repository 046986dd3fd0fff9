/** Which generation the others are on: what a node without a key takes, and where one that is alone with its keys goes. */
import type { Generation } from '../keys/generation.ts';
import type { NodeRecord } from './types.ts';

export interface Vote {
  readonly number: number;
  /** How many of the others are on it. */
  readonly count: number;
}

/**
 * The generation that most of the others hold and send on: there they have routes to us. Of two equals the older, from which we can
 * step up to the other. Most, not newest: one node's word must not push all the others' numbers.
 */
export function mostCommon(others: readonly NodeRecord[]): Vote | undefined {
  const counts = new Map<number, number>();
  for (const record of others)
    for (const number of inUse(record)) counts.set(number, (counts.get(number) ?? 0) + 1);
  let best: Vote | undefined;
  for (const [number, count] of counts) {
    const better = best === undefined || count > best.count || (count === best.count && number < best.number);
    if (better) best = { number, count };
  }
  return best;
}

/** How many of them list it, with this driver. */
export function listersOf(one: Pick<Generation, 'number' | 'driver'>, others: readonly NodeRecord[]): number {
  const same = ({ number, driver }: Generation) => number === one.number && driver === one.driver;
  return others.filter(({ generations }) => generations.some(same)).length;
}

/** What it holds and may send on; all that it holds, when it does not say. */
function inUse({ generations, sending }: NodeRecord): readonly number[] {
  const held = generations.map(({ number }) => number);
  const used = held.filter((number) => sending.includes(number));
  return used.length > 0 ? used : held;
}

/** The newest generation that more than half of the others who have a key hold. */
export function newestOfMost(others: readonly NodeRecord[]): Vote | undefined {
  const counts = new Map<number, number>();
  let voters = 0;
  for (const { generations } of others) {
    if (generations.length > 0) voters += 1;
    for (const { number } of generations) counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  let newest: Vote | undefined;
  for (const [number, count] of counts)
    if (count * 2 > voters && number > (newest?.number ?? 0)) newest = { number, count };
  return newest;
}

/**
 * Whether others may lead us there. When encryption is switched on, the first who has a key is all there is to count: so one node
 * alone leads nobody beyond what is wished, or it could use up all the numbers there are. Unless it is the only other one.
 *
 * @param voices how many of the others have a key, or will have one
 */
export function isBelieved({ number, count }: Vote, wanted: number, voices: number): boolean {
  return number <= wanted || count > 1 || voices < 2;
}

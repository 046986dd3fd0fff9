/** Which driver a generation has, and which of them this node can do: `docs/generations.md`, "The driver is the generation's". */
import { isBelieved, listersOf, type Vote } from './common-generation.ts';
import type { Driver, HeldGeneration, Target } from './stance.ts';
import type { NodeRecord } from './types.ts';

/** A generation as all nodes mean the same one: links match by both. */
export type Choice = Pick<HeldGeneration, 'number' | 'driver'>;

export interface Electorate {
  readonly target: Target;
  readonly others: readonly NodeRecord[];
}

export const isSame = (a: Choice, b: Choice) => a.number === b.number && a.driver === b.driver;

export const lists = ({ generations }: Pick<NodeRecord, 'generations'>, one: Choice) =>
  generations.some((generation) => isSame(generation, one));

/** @param before what the generation before it has, or what is wished: where no other record lists it */
export function driverOf(number: number, { target, others }: Electorate, before: Driver): Driver {
  if (number === target.generation && target.encryption !== 'none') return target.encryption;
  return preferred(countsOf(number, others)) ?? before;
}

/**
 * Two that began one number with different drivers, because what is wished changed twice in between, would wait for each other for ever:
 * the fewer begin it again, with the driver of the others.
 */
export function yields({ target, others }: Electorate, ours: HeldGeneration): boolean {
  const { number, driver } = ours;
  if (number === target.generation && driver === target.encryption) return false;
  const counts = countsOf(number, others);
  const all = { ...counts, [driver]: counts[driver] + 1 };
  return counts[driver === 'ipsec' ? 'wireguard' : 'ipsec'] > 0 && preferred(all) !== driver;
}

/**
 * Some are where all are wished to be, by another driver: it did not hear that encryption was off in between. Who waited for those that are
 * with it would wait for ever.
 */
export function isAstray({ others, target }: Electorate, { number, driver }: Choice): boolean {
  const { generation, encryption } = target;
  if (number !== generation || driver === encryption || encryption === 'none') return false;
  return others.some((record) => lists(record, { number, driver: encryption }));
}

type Counts = Readonly<Record<Driver, number>>;

const countsOf = (number: number, others: readonly NodeRecord[]): Counts => ({
  ipsec: listersOf({ number, driver: 'ipsec' }, others),
  wireguard: listersOf({ number, driver: 'wireguard' }, others),
});

/** The same for all who count the same. */
function preferred({ ipsec, wireguard }: Counts): Driver | undefined {
  if (ipsec + wireguard === 0) return undefined;
  return ipsec >= wireguard ? 'ipsec' : 'wireguard';
}

/** Why this node cannot do it, as its agent says; undefined: it can. */
export function inability({ cannot = [] }: Target, driver: Driver): string | undefined {
  return cannot.find((text) => text.startsWith(`${driver}: `));
}

export interface Company extends Choice {
  /** How many of the others list it. */
  readonly count: number;
}

/** The newest generation that others hold, that this node can do, and to which they may lead it. @param voices as `isBelieved` has it */
export function newestPossible({ target, others }: Electorate, voices: number): Company | undefined {
  const found = others
    .flatMap(({ generations }) => generations)
    .filter(({ driver }) => inability(target, driver) === undefined)
    .map(({ number, driver }): Vote & Choice => ({
      number,
      driver,
      count: listersOf({ number, driver }, others),
    }))
    .filter((vote) => isBelieved(vote, target.generation, voices));
  return found.toSorted((a, b) => b.number - a.number || b.count - a.count)[0];
}

/** How far a rotation is, told by the records alone. */
import { cannotDo, type Driver, type ProgressRecord, type Straggler, waits } from './progress.ts';

export interface Rotation {
  readonly from: number;
  readonly to: number;
  /** Of `from` and of `to`, as most records say; absent: nobody holds it, and it was not said. */
  readonly fromDriver?: Driver;
  readonly toDriver?: Driver;
  /** Nodes that have keys. */
  readonly total: number;
  /** Of these: that published the new key, that sent their last packet on an older one, that withdrew all older ones. */
  readonly published: number;
  readonly switched: number;
  readonly withdrawn: number;
  /**
   * All that can have published the new key, and somebody cannot (`stragglers`): those nodes stay on the older generation, and the others hold
   * both, for good.
   */
  readonly partial: boolean;
  /** Who is behind, sorted: those first that the others wait for. */
  readonly stragglers: readonly Straggler[];
}

export interface RotationInput {
  readonly records: readonly ProgressRecord[];
  /** `spec.generation`; undefined: not said. */
  readonly wanted: number | undefined;
  /** `spec.encryption`: the driver of `wanted`, as long as nobody holds it. */
  readonly driver?: Driver | undefined;
  /** Names of Nodes that nobody waits for. */
  readonly passOver?: readonly string[];
}

/** `from generation 1 to 2`, or `from generation 1 (wireguard) to 2 (ipsec)`. */
export function wayOf({
  from,
  to,
  fromDriver,
  toDriver,
}: Pick<Rotation, 'from' | 'to' | 'fromDriver' | 'toDriver'>): string {
  return fromDriver === undefined || toDriver === undefined || fromDriver === toDriver
    ? `from generation ${from} to ${to}`
    : `from generation ${from} (${fromDriver}) to ${to} (${toDriver})`;
}

/** Undefined while nothing rotates: every node with keys has one, of the same generation, and none newer is wanted. */
export function rotation({ records, wanted, driver, passOver = [] }: RotationInput): Rotation | undefined {
  const holders = records.filter(({ generations }) => generations.length > 0);
  if (holders.length === 0) return undefined;
  const to = Math.max(wanted ?? 0, newestOfMost(holders));
  const toDriver = driverOf(holders, to) ?? (to === wanted ? driver : undefined);
  const steps = holders.map((record) => ({ record, step: stepOf(record, { to, toDriver }) }));
  const counted = steps.filter(({ record }) => !passOver.includes(record.name));
  if (counted.every(({ step }) => step === 'withdrawn')) return undefined;
  const atLeast = (...wantedSteps: readonly Step[]) =>
    steps.filter(({ step }) => wantedSteps.includes(step)).length;
  const numbers = holders.flatMap((record) => record.generations.map(({ number }) => number));
  const from = Math.min(to - 1, ...numbers);
  const fromDriver = driverOf(holders, from);
  const partial = isPartial(counted);
  const behind = counted.filter(({ step }) => step !== 'withdrawn' && (!partial || step === 'unable'));
  return {
    from,
    to,
    ...(fromDriver === undefined ? {} : { fromDriver }),
    ...(toDriver === undefined ? {} : { toDriver }),
    total: holders.length,
    published: atLeast('published', 'switched', 'withdrawn'),
    switched: atLeast('switched', 'withdrawn'),
    withdrawn: atLeast('withdrawn'),
    partial,
    stragglers: behind
      .toSorted((a, b) => ORDER.indexOf(a.step) - ORDER.indexOf(b.step))
      .map((one) => straggler(one, { to, toDriver, last: lastOf(counted) })),
  };
}

/**
 * The newest that more than half of the nodes list, else the newest of those listed most; where each lists another, the oldest: one
 * node's word moves nobody.
 */
function newestOfMost(holders: readonly ProgressRecord[]): number {
  const counts = new Map<number, number>();
  for (const { generations } of holders)
    for (const { number } of generations) counts.set(number, (counts.get(number) ?? 0) + 1);
  const most = Math.max(...counts.values());
  if (most === 1 && holders.length > 1) return Math.min(...counts.keys());
  return Math.max(
    ...[...counts].flatMap(([number, times]) =>
      times === most || times * 2 > holders.length ? [number] : [],
    ),
  );
}

/** What most say of a generation; undefined where nobody holds it. */
export function driverOf(holders: readonly ProgressRecord[], generation: number): Driver | undefined {
  const counts = { wireguard: 0, ipsec: 0 };
  for (const { generations } of holders)
    for (const { number, driver } of generations) if (number === generation) counts[driver] += 1;
  if (counts.wireguard + counts.ipsec === 0) return undefined;
  return counts.ipsec >= counts.wireguard ? 'ipsec' : 'wireguard';
}

/** `unable`: behind, and its agent says that it cannot have a key of that driver. */
type Step = 'unable' | 'behind' | 'published' | 'switched' | 'withdrawn';
const ORDER: readonly Step[] = ['behind', 'unable', 'published', 'switched', 'withdrawn'];

interface Counted {
  readonly record: ProgressRecord;
  readonly step: Step;
}

interface Towards {
  readonly to: number;
  readonly toDriver: Driver | undefined;
}

function stepOf(record: ProgressRecord, { to, toDriver }: Towards): Step {
  const { generations, sending } = record;
  if (!generations.some(({ number }) => number >= to))
    return toDriver !== undefined && cannotDo(record, toDriver) !== undefined ? 'unable' : 'behind';
  if (sending.some((number) => number > 0 && number < to)) return 'published';
  return generations.some(({ number }) => number < to) ? 'switched' : 'withdrawn';
}

function isPartial(counted: readonly Counted[]): boolean {
  const steps = new Set(counted.map(({ step }) => step));
  return steps.has('unable') && !steps.has('behind') && steps.size > 1;
}

/** One that has no key of the new generation yet, and so gets what is sent to it on an older one. */
function lastOf(counted: readonly Counted[]): string | undefined {
  const found =
    counted.find(({ step }) => step === 'behind') ?? counted.find(({ step }) => step === 'unable');
  return found?.record.name;
}

function straggler(
  { record, step }: Counted,
  { to, toDriver, last }: Towards & { readonly last: string | undefined },
): Straggler {
  const { name } = record;
  if (step === 'unable' && toDriver !== undefined)
    return { node: name, stuck: true, reason: stays(record, toDriver) };
  if (step === 'behind' || step === 'unable')
    return waits(record, `has no key of generation ${to} yet: is ${name} up, and its agent running?`);
  if (step === 'published')
    return waits(
      record,
      last === undefined
        ? `still sends on an older generation: a peer has not answered on ${to} yet; see 'sheath peers --cluster ${name}'`
        : `still sends on an older generation: ${last} has no key of ${to} yet`,
    );
  return waits(record, 'keeps the older key until nobody sends on it and it has been silent');
}

function stays(record: ProgressRecord, driver: Driver): string {
  const newest = record.generations.at(-1);
  const where = newest === undefined ? '' : `; it stays on generation ${newest.number} (${newest.driver})`;
  return `cannot do ${cannotDo(record, driver)}${where}`;
}

/** What goes wrong during one rotation, when and for how long; all of it follows from a seed. Pure. */
import { seeded } from '../../operator/seeded.ts';

export const KINDS = [
  'agent killed',
  'API cut',
  'API silent',
  'no way to the API',
  'node cut off',
  'node rebooted',
  'node rebooted an hour back',
] as const;

/** Besides, with a driver that has one. */
export type FaultKind = (typeof KINDS)[number] | 'charon killed';

export interface Fault {
  readonly kind: FaultKind;
  readonly node: string;
  /** Milliseconds after the rotation was asked for. */
  readonly at: number;
  /** Milliseconds until it is over. */
  readonly lasts: number;
}

export interface Schedule {
  readonly seed: number;
  /** By time. */
  readonly faults: readonly Fault[];
}

export interface ScheduleOptions {
  readonly seed: number;
  readonly nodes: readonly string[];
  readonly kinds: readonly FaultKind[];
  /** Milliseconds that a fault lasts at most. */
  readonly longest: number;
}

/** From asking for a rotation until the old devices are gone, with the shortest drain, and a little more. */
const ROTATION = 10_000;
const MOST_FAULTS = 3;

export function scheduleOf({ seed, nodes, kinds, longest }: ScheduleOptions): Schedule {
  const random = seeded(seed);
  // The first numbers of neighbouring seeds are much alike.
  random();
  const whole = (below: number): number => Math.floor(random() * below);
  const faults = Array.from({ length: 1 + whole(MOST_FAULTS) }, (_, at): Fault => {
    // Consecutive seeds begin with consecutive kinds: a few of them have seen every kind.
    const kind = at === 0 ? kinds[seed % kinds.length] : kinds[whole(kinds.length)];
    const node = nodes[whole(nodes.length)];
    if (kind === undefined || node === undefined) throw new Error('a schedule needs nodes');
    // Early on, much happens within a second.
    return { kind, node, at: Math.floor(random() ** 2 * ROTATION), lasts: 100 + whole(longest - 100) };
  });
  return { seed, faults: faults.toSorted((a, b) => a.at - b.at) };
}

/** Always played: the API server is away for a minute and more in the midst of a rotation, for one node and for all. */
export const CUTS: readonly Schedule['faults'][] = [
  [
    { kind: 'no way to the API', node: 'n2', at: 300, lasts: 61_000 },
    { kind: 'agent killed', node: 'n3', at: 20_000, lasts: 1_000 },
  ],
  [
    { kind: 'API cut', node: 'n1', at: 300, lasts: 61_000 },
    { kind: 'agent killed', node: 'n3', at: 20_000, lasts: 1_000 },
    { kind: 'node rebooted', node: 'n2', at: 30_000, lasts: 1_000 },
  ],
];

export function tell(faults: Schedule['faults']): string {
  return faults
    .map(({ kind, node, at, lasts }) => {
      const who = kind.startsWith('API') ? kind : `${node}: ${kind}`;
      return `${who} at ${(at / 1000).toFixed(1)} s for ${(lasts / 1000).toFixed(1)} s`;
    })
    .join(', ');
}

/** What cannot happen side by side: the faults of one node, and those of the API. */
export function lanes(faults: Schedule['faults']): readonly (readonly Fault[])[] {
  return [...Map.groupBy(faults, ({ kind, node }) => (kind.startsWith('API') ? 'API' : node)).values()];
}

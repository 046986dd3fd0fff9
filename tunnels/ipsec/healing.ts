/**
 * What is to be done for one link, by what charon says and what the kernel has. Pure.
 *
 * Both ends may initiate, one does: the node whose name is lower. The other does it when the first does not for a while, and whoever
 * started charon anew does it at once, because the other end does not know of that. Two SAs of one link do no harm, the kernel takes
 * the younger; the elder is ended when the younger is surely in use at both ends.
 */
import type { ChildSa, IkeSa } from './security.ts';
import type { State } from './xfrm/types.ts';

/** Seconds. */
const TIMES = {
  /** Until the end that does not usually initiate does. */
  patience: 10,
  /** What is listed at two moments may differ for as long. */
  settling: 3,
  /** Until the elder of two is ended, by the end that usually initiates, or by the other when that does not. */
  overlap: 10,
  overlapOther: 60,
} as const;

/** Milliseconds between attempts: doubled each time. */
const ATTEMPTS = { first: 1_000, most: 15_000 } as const;

export interface Link {
  readonly initiates: boolean;
  /** Name of the child that is wanted. */
  readonly child: string;
}

export interface Attempts {
  readonly count: number;
  /** When there may be another, and since when there is no SA, in milliseconds of a clock that is never set. */
  readonly nextAt: number;
  readonly missingSince: number;
}

export interface Scene {
  readonly link: Link;
  /** Of this link's connection. */
  readonly sas: readonly IkeSa[];
  /** With this link's request id. */
  readonly states: readonly State[];
  readonly attempts: Attempts | undefined;
  /** Milliseconds, of the same clock. */
  readonly steady: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Remedy {
  readonly initiate: boolean;
  /** Ids of IKE SAs to end. */
  readonly terminate: readonly string[];
  readonly removeStates: readonly State[];
  /** undefined: there is an SA. */
  readonly attempts: Attempts | undefined;
}

const INSTALLED = new Set(['INSTALLED', 'REKEYING', 'REKEYED', 'UPDATING']);
const COMING = new Set(['CREATED', 'ROUTED', 'INSTALLING']);

export function remedyFor(scene: Scene): Remedy {
  const { link, sas, states } = scene;
  const inKernel = new Set(states.map(({ spi }) => spi));
  const children = (sa: IkeSa) => sa.children.filter(({ state }) => INSTALLED.has(state));
  const whole = (child: ChildSa) => has(inKernel, child.spiIn) && has(inKernel, child.spiOut);
  const live = sas.filter((sa) => children(sa).some((child) => child.name === link.child && whole(child)));
  // Somebody emptied the kernel, and charon does not know.
  const hollow = sas.filter((sa) => {
    const settled = children(sa).filter(({ installed = 0 }) => installed >= TIMES.settling);
    return settled.length > 0 && !settled.some(whole);
  });
  const newest = live.toSorted(youngerFirst)[0];
  if (newest !== undefined) {
    const surplus = surplusOf(scene, newest);
    const ended = new Set([...hollow, ...surplus].map(({ id }) => id));
    ended.delete(newest.id);
    return {
      initiate: false,
      terminate: [...ended],
      removeStates: orphansOf(scene, newest),
      attempts: undefined,
    };
  }
  return { ...attempt(scene, hollow), terminate: hollow.map(({ id }) => id), removeStates: [] };
}

const has = (spis: ReadonlySet<number>, spi: number | undefined) => spi !== undefined && spis.has(spi);

function attempt(
  { link, sas, states, attempts, steady }: Scene,
  hollow: readonly IkeSa[],
): Pick<Remedy, 'initiate' | 'attempts'> {
  const missingSince = attempts?.missingSince ?? steady;
  const before = attempts ?? { count: 0, nextAt: 0, missingSince };
  const coming = sas.some(
    (sa) =>
      !hollow.includes(sa) &&
      (sa.state === 'CONNECTING' ||
        sa.children.some(({ name, state }) => name === link.child && COMING.has(state))),
  );
  // States without an SA: charon was started anew, and the other end does not know.
  const abandoned = states.length > 0 || hollow.length > 0;
  const ours = link.initiates || abandoned || steady - missingSince >= TIMES.patience * 1000;
  if (coming || !ours || steady < before.nextAt) return { initiate: false, attempts: before };
  const wait = Math.min(ATTEMPTS.first * 2 ** before.count, ATTEMPTS.most);
  return { initiate: true, attempts: { count: before.count + 1, nextAt: steady + wait, missingSince } };
}

function surplusOf({ link, sas }: Scene, newest: IkeSa): IkeSa[] {
  const age = newest.established ?? 0;
  return sas.filter((sa) => {
    if (sa === newest || sa.state !== 'ESTABLISHED' || sa.children.length === 0) return false;
    const outdated = sa.children.every(({ name }) => name !== link.child);
    return age >= (link.initiates || outdated ? TIMES.overlap : TIMES.overlapOther);
  });
}

/** States that no SA of charon's knows, and that the newest has long taken the place of. */
function orphansOf({ sas, states, now }: Scene, newest: IkeSa): State[] {
  if ((newest.established ?? 0) < TIMES.overlap) return [];
  const known = new Set(
    sas.flatMap(({ children }) => children.flatMap(({ spiIn, spiOut }) => [spiIn, spiOut])),
  );
  return states.filter(
    ({ spi, installedAt }) => !known.has(spi) && now - installedAt >= TIMES.overlap * 1000,
  );
}

/** The same order at both ends, but for a second. */
function youngerFirst(a: IkeSa, b: IkeSa): number {
  const byAge = (a.established ?? 0) - (b.established ?? 0);
  return byAge !== 0 ? byAge : a.initiatorSpi < b.initiatorSpi ? -1 : 1;
}

/** Nodes that take their steps by `lifecycle` alone, one after the other, with a perfect network: for the tests of the rules. */
import { type Choice, isSame } from '../../mesh/driver-choice.ts';
import { lifecycle } from '../../mesh/lifecycle.ts';
import type { Lifecycle, LifecycleInput } from '../../mesh/lifecycle-types.ts';
import { hold, IN_CLEAR, isPublished, type Stance, type Target } from '../../mesh/stance.ts';
import type { NodeRecord, PeerState, PeerStatus } from '../../mesh/types.ts';
import { key, recordOf, signingKey } from './fixtures.ts';

export const NOW = Date.UTC(2026, 10, 22);

export const target: Target = {
  encryption: 'wireguard',
  mode: 'permissive',
  generation: 7,
  port: 51830,
  drain: 180_000,
  passOver: [],
};

/** Of IPsec; a number alone is of WireGuard. */
export const esp = (number: number): Choice => ({ number, driver: 'ipsec' });

const choiceOf = (one: number | Choice): Choice =>
  typeof one === 'number' ? { number: one, driver: 'wireguard' } : one;
const numberOf = (one: number | Choice): number => choiceOf(one).number;

export interface Published {
  readonly held: readonly (number | Choice)[];
  readonly sending?: readonly number[];
  readonly mode?: 'strict' | 'permissive';
  /** Its agent says that it is there. */
  readonly agent?: boolean;
  readonly cannot?: readonly string[];
  /** The resource's generation. */
  readonly follows?: number;
}

/** Node `i` with what it published. */
export function record(i: number, published: Published): NodeRecord {
  const { held, sending = held.map(numberOf), mode, agent, cannot, follows } = published;
  const followed = follows === undefined ? {} : { observedGeneration: follows };
  const says = mode !== undefined || agent === true || cannot !== undefined;
  return {
    ...recordOf(i),
    generations: held.map(choiceOf).map(({ number, driver }) => {
      return driver === 'ipsec'
        ? { number, driver, publicKey: signingKey(`n${i} ${number}`) }
        : { number, driver, publicKey: key(`n${i} ${number}`), port: 51830 + (number % 2) };
    }),
    sending,
    ...(says
      ? {
          agent: { version: '1', cannot: cannot ?? [], ...followed, ...(mode === undefined ? {} : { mode }) },
        }
      : {}),
  };
}

export function stanceOf(
  held: readonly (number | Choice)[],
  sending: readonly number[] = held.map(numberOf),
  parts: Partial<Stance> = {},
): Stance {
  return {
    held: held.map(choiceOf).map(({ number, driver }) => hold(number, driver, 51830)),
    sending,
    clear: new Set(),
    mode: 'permissive',
    ...parts,
  };
}

export function status(i: number, state: PeerState, generation: number): readonly [string, PeerStatus] {
  return [`n${i}`, { node: `n${i}`, state, generation, since: 0, receivedBytes: 0, sentBytes: 0 }];
}

/** Node n1 of four, all of which hold 7 and are routed. */
export function input(parts: Partial<LifecycleInput> = {}): LifecycleInput {
  return {
    self: 'n1',
    stance: stanceOf([7]),
    target,
    records: [1, 2, 3, 4].map((i) => record(i, { held: [7] })),
    statuses: new Map([2, 3, 4].map((i) => status(i, 'routed', 7))),
    silence: new Map(),
    leaving: new Set(),
    unrouted: false,
    published: true,
    possible: new Map(),
    now: NOW,
    ...parts,
  };
}

/** What it holds and may send on, and whom it waits for: for a table. */
export function told({ stance, unroute, waiting, problems, nextAt }: Lifecycle): string {
  const held = stance.held.map(({ number, driver }) => (driver === 'ipsec' ? `${number} esp` : number));
  return [
    `hold ${held.join() || 'nothing'}`,
    `send ${stance.sending.join() || 'nothing'}`,
    ...(stance.clear.size > 0 ? [`clear ${stance.clear.size}`] : []),
    ...(stance.mode === 'strict' ? ['shut'] : []),
    ...(unroute ? ['unroute'] : []),
    ...(waiting.length > 0 ? [waiting.map(({ node, code }) => `${node} ${code}`).join()] : []),
    ...problems.map(({ code }) => code),
    ...(nextAt === undefined ? [] : [`in ${(nextAt - NOW) / 1000}`]),
  ].join('; ');
}

interface Member {
  readonly i: number;
  target: Target;
  stance: Stance | undefined;
  possible: ReadonlyMap<string, number>;
  alive: boolean;
  /** What the API server has of it. */
  published: NodeRecord;
}

/** What may happen between two steps. */
export interface Cluster {
  readonly members: readonly Member[];
  now: number;
  step(i: number): boolean;
}

export function clusterOf(size: number, wished: Target): Cluster {
  const members: Member[] = Array.from({ length: size }, (_, at) => ({
    i: at + 1,
    target: wished,
    stance: undefined,
    possible: new Map<string, number>(),
    alive: true,
    published: record(at + 1, { held: [] }),
  }));
  const cluster: Cluster = {
    members,
    now: NOW,
    step(i) {
      const member = members[i];
      if (!member?.alive) return false;
      const before = member.stance;
      const result = lifecycle({
        self: `n${member.i}`,
        stance: before,
        target: member.target,
        records: members.map(({ published }) => published),
        statuses: statusesOf(member, members),
        silence: new Map(
          (before?.held ?? []).map(({ number }) => [number, { since: 0, until: cluster.now }]),
        ),
        leaving: new Set(),
        unrouted: member.target.encryption === 'none',
        published: member.published.generations.length > 0,
        possible: member.possible,
        now: cluster.now,
      });
      member.stance = result.stance;
      member.possible = result.possible;
      const { held, sending, mode } = result.stance;
      const shown = isPublished(result.stance) ? held : [];
      const { cannot } = member.target;
      const after = record(member.i, {
        held: shown,
        sending: shown.length > 0 ? sending : [],
        mode,
        ...(cannot === undefined ? {} : { cannot }),
      });
      const changed = JSON.stringify(after) !== JSON.stringify(member.published);
      member.published = after;
      return changed || result.stance !== before;
    },
  };
  return cluster;
}

/** Who has a generation in common with it, that it may send on, is routed on the newest such. */
function statusesOf(self: Member, members: readonly Member[]): ReadonlyMap<string, PeerStatus> {
  const sends = self.stance?.sending.filter((number) => number !== IN_CLEAR) ?? [];
  return new Map(
    members
      .filter((other) => other !== self)
      .map((other) => {
        const held = self.stance?.held ?? [];
        const common = other.published.generations.findLast(
          (one) => sends.includes(one.number) && held.some((ours) => isSame(ours, one)),
        );
        return status(
          other.i,
          common !== undefined && other.alive ? 'routed' : 'configured',
          common?.number ?? 0,
        );
      }),
  );
}

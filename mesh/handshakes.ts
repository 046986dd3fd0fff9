/**
 * Whose handshake to provoke, and when.
 *
 * WireGuard makes a handshake at once when a fresh peer gets a persistent keepalive. When both ends initiate together their
 * initiations cross, and both wait 5 s (REKEY_TIMEOUT); so does an initiator whom the other end did not know yet. Therefore the
 * Node with the lower name begins and the other waits 3 s; and a link without an answer after 1 s is removed and added again,
 * which resets that wait, then after 2 s and 4 s. Who did not answer by then is away: the keepalive goes on asking every 25 s
 * without any write of ours, and a node that comes back asks by itself.
 *
 * All this is about a peer's newest link, whatever its older one carries: a superseded link gets no keepalive, for its silence is what
 * lets it go. While the older one carries the peer's traffic nothing hurries, and there are no restarts: in a rotation they would be as many
 * as there are peers, and WireGuard tries again by itself every 5 s.
 *
 * IPsec needs none of it: charon's messages carry a session of their own each, so that crossing ones do no harm, and whoever looks after the
 * sessions (`tunnels/ipsec/healing.ts`) begins again. Its links are only waited for.
 */

import type { DeviceName, MeshPlan, PeerLink, PeerPlan, PeerStatus } from './types.ts';

const YIELD = 3_000;
const FIRST_RESTART = 1_000;
const MOST_RESTARTS = 3;
/** Milliseconds between two moments at which links are made anew. */
const GRAIN = 250;

/** What we tried so far for one peer's newest link, which waits for its first handshake. */
export interface Attempt {
  /** The link it is about: another key or generation begins anew. */
  readonly link: PeerLink;
  /** When the link was first seen waiting, in milliseconds since the epoch. */
  readonly since: number;
  /** How often it was made anew. */
  readonly restarts: number;
  /** When to act next, in milliseconds since the epoch; `Infinity`: all was tried. */
  readonly nextAt: number;
}

export interface InitiationsInput {
  readonly plan: MeshPlan;
  /** From the same plan. */
  readonly statuses: ReadonlyMap<string, PeerStatus>;
  /** What the last call returned as `attempts`; empty at the start. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Initiations {
  /** Nodes whose newest links get a persistent keepalive while they establish: `DesiredState.keepalive`. */
  readonly keepalive: ReadonlySet<string>;
  /** Nodes whose newest links are made anew now: `DesiredState.restart`. */
  readonly restart: readonly string[];
  /** To be passed to the next call. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** When to call again at the latest, in milliseconds since the epoch; undefined when nobody waits. */
  readonly nextAt?: number;
}

/** Established peers are in none of these: they have the configured keepalive. */
export function initiations({ plan, statuses, attempts, now }: InitiationsInput): Initiations {
  const keepalive = new Set<string>();
  const restart: string[] = [];
  const receiving = plan.devices.filter(({ receiveOnly }) => receiveOnly).map(({ name }) => name);
  const next = new Map<string, Attempt>();
  for (const peer of plan.peers) {
    const { node } = peer;
    const status = statuses.get(node);
    const link = waitingLink(peer, status, receiving);
    if (link === undefined) {
      // It had a handshake, and is silent: keep asking, also when nobody has anything to send.
      if (status?.state === 'degraded' && status.driver === 'wireguard') keepalive.add(node);
      continue;
    }
    if (link.driver === 'ipsec') {
      const known = attempts.get(node);
      next.set(node, isOf(known, link) ? known : { link, since: now, restarts: 0, nextAt: Infinity });
      continue;
    }
    const moment = { link, begins: plan.self < node, hurries: !isCarried(status, link), now };
    const { attempt, initiates, restarts } = advance(attempts.get(node), moment);
    next.set(node, attempt);
    if (initiates) keepalive.add(node);
    if (restarts) restart.push(node);
  }
  const nextAt = Math.min(...Array.from(next.values(), (attempt) => attempt.nextAt));
  return { keepalive, restart, attempts: next, ...(nextAt === Infinity ? {} : { nextAt }) };
}

/** The newest link while it has no handshake, and we may send on it. */
function waitingLink(
  peer: PeerPlan,
  status: PeerStatus | undefined,
  receiving: readonly DeviceName[],
): PeerLink | undefined {
  const newest = peer.links.at(-1);
  if (newest === undefined || receiving.includes(newest.device)) return undefined;
  return status?.established?.at(-1) === newest.generation ? undefined : newest;
}

/** By an older link. */
function isCarried(status: PeerStatus | undefined, { generation }: PeerLink): boolean {
  return status?.state === 'routed' && status.generation !== generation;
}

interface Moment {
  readonly link: PeerLink;
  /** Whether it is ours to initiate at once. */
  readonly begins: boolean;
  /** Nothing else leads to it. */
  readonly hurries: boolean;
  readonly now: number;
}

interface Step {
  readonly attempt: Attempt;
  readonly initiates: boolean;
  readonly restarts: boolean;
}

function advance(known: Attempt | undefined, { link, begins, hurries, now }: Moment): Step {
  const attempt = isOf(known, link) ? known : { link, since: now, restarts: 0, nextAt: now };
  const beginsAt = attempt.since + (begins ? 0 : YIELD);
  if (now < beginsAt) return { attempt: { ...attempt, nextAt: beginsAt }, initiates: false, restarts: false };
  if (!hurries) return { attempt: { ...attempt, nextAt: Infinity }, initiates: true, restarts: false };
  const restartAt = attempt.nextAt <= beginsAt ? inStep(beginsAt + FIRST_RESTART) : attempt.nextAt;
  if (now < restartAt) {
    const waiting = attempt.nextAt === restartAt ? attempt : { ...attempt, nextAt: restartAt };
    return { attempt: waiting, initiates: true, restarts: false };
  }
  const restarts = attempt.restarts + 1;
  const nextAt = restarts < MOST_RESTARTS ? inStep(now + FIRST_RESTART * 2 ** restarts) : Infinity;
  return { attempt: { ...attempt, restarts, nextAt }, initiates: true, restarts: true };
}

function isOf(known: Attempt | undefined, { generation, publicKey }: PeerLink): known is Attempt {
  return known?.link.generation === generation && known.link.publicKey === publicKey;
}

/** Those who wait at about the same time are served together, or a thousand of them would be a thousand turns. */
function inStep(at: number): number {
  return Math.ceil(at / GRAIN) * GRAIN;
}

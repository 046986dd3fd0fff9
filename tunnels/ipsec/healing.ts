/**
 * What is to be done for one link, by what charon says and what the kernel has. Pure.
 *
 *   missing ──initiate──▶ one session ──its time comes, or charon was started anew──▶ two ──the old one is silent──▶ one
 *
 * Both ends may initiate, one does: the node whose name is lower. The other does it when the first does not for a while, and whoever
 * started charon anew does it at once, because the other end does not know of that. A new session is always in the other slot than the
 * one that is sent by. Each end begins to send by it when the other end surely has it, and the old one is ended when nothing comes by it any
 * more: so nothing is lost, whoever is first. The same holds for the first session of all: until the other end surely has it, there is none
 * to send by.
 */
import type { WantedLink, Way } from './link.ts';
import type { ChildSa, IkeSa } from './security.ts';
import type { State } from './xfrm/types.ts';

/** Seconds. */
const TIMES = {
  /** Until the end that does not usually initiate does. */
  patience: 10,
  /** What is listed at two moments may differ for as long. */
  settling: 3,
  /** In which an answer is with the end that initiated. */
  answer: 2,
  /** Age of a session whose forerunner may be ended. */
  overlap: 10,
  /** Without a packet, until the old session is ended: by the end that usually initiates, and by the other. */
  quiet: 5,
  quietOther: 60,
} as const;

/** Milliseconds between attempts: doubled each time. */
const ATTEMPTS = { first: 1_000, most: 15_000 } as const;

/** What is remembered from look to look; times in milliseconds of a clock that is never set. */
export interface Memory {
  readonly attempts: number;
  readonly nextAt: number;
  /** Since when there is no session; undefined: there is one. */
  readonly missingSince: number | undefined;
  /** Bytes that came by the slot that is not sent by, and since when they are so many. */
  readonly aside: { readonly bytes: number; readonly since: number };
}

export interface Scene {
  readonly link: WantedLink;
  /** By slot: those of its connection, and those with its request id. */
  readonly sas: readonly [readonly IkeSa[], readonly IkeSa[]];
  readonly states: readonly [readonly State[], readonly State[]];
  readonly way: Way | undefined;
  readonly memory: Memory | undefined;
  /** Milliseconds, of the same clock. */
  readonly steady: number;
}

export interface Remedy {
  readonly way: Way | undefined;
  /** Index of the slot. */
  readonly initiate: 0 | 1 | undefined;
  /** Ids of IKE SAs to end. */
  readonly terminate: readonly string[];
  readonly removeStates: readonly State[];
  readonly memory: Memory;
  /** All is as it shall be for a while. */
  readonly settled: boolean;
}

const INSTALLED = new Set(['INSTALLED', 'REKEYING', 'REKEYED', 'UPDATING']);
const COMING = new Set(['CREATED', 'ROUTED', 'INSTALLING']);

/** A session that charon and the kernel agree on. */
interface Session {
  readonly sa: IkeSa;
  readonly child: ChildSa;
  readonly inbound: State;
  readonly outbound: State;
}

export function remedyFor(scene: Scene): Remedy {
  const { link, steady } = scene;
  const sessions = [sessionIn(scene, 0), sessionIn(scene, 1)] as const;
  const at = slotOf(scene, sessions);
  const aside = at === 0 ? 1 : 0;
  const current = at === undefined ? undefined : sessions[at];
  const memory = remember(
    scene,
    aside,
    sessions.some((one) => one !== undefined),
  );
  const due = current !== undefined && ageOf(current) >= link.lifetime;
  // One that is not ripe yet is as good as none to send by, and as good as any to wait for.
  const ripens = at === undefined && sessions.some((one) => one !== undefined);
  const wanted = current === undefined ? !ripens : due && scene.sas[aside].length === 0;
  const attempt = wanted && mayInitiate(scene, memory, current !== undefined);
  const surplus = current === undefined ? NOTHING : surplusOf(scene, { memory, current, aside });
  const wait = Math.min(ATTEMPTS.first * 2 ** memory.attempts, ATTEMPTS.most);
  return {
    way: at === undefined ? undefined : wayOf(scene, at, current),
    initiate: attempt ? aside : undefined,
    terminate: [...new Set([...surplus.terminate, ...hollow(scene, current)])],
    removeStates: surplus.removeStates,
    memory: attempt ? { ...memory, attempts: memory.attempts + 1, nextAt: steady + wait } : memory,
    settled: current !== undefined && scene.sas[aside].length === 0 && scene.states[aside].length === 0,
  };
}

const NOTHING = { terminate: [], removeStates: [] } as const;

/** The youngest in this slot. */
function sessionIn({ link, sas, states }: Scene, slot: 0 | 1): Session | undefined {
  const bySpi = new Map(states[slot].map((state) => [state.spi, state]));
  const found = sas[slot].flatMap((sa) =>
    sa.children.flatMap((child): Session[] => {
      const inbound = bySpi.get(child.spiIn ?? 0);
      const outbound = bySpi.get(child.spiOut ?? 0);
      const wanted = child.name === link.slots[slot].connection.child && INSTALLED.has(child.state);
      return wanted && inbound !== undefined && outbound !== undefined
        ? [{ sa, child, inbound, outbound }]
        : [];
    }),
  );
  return found.toSorted(youngerFirst)[0];
}

const ageOf = ({ child }: Session) => child.installed ?? 0;

/** The same order at both ends, but for a second. */
function youngerFirst(a: Session, b: Session): number {
  const byAge = ageOf(a) - ageOf(b);
  return byAge !== 0 ? byAge : a.sa.initiatorSpi < b.sa.initiatorSpi ? -1 : 1;
}

type Sessions = readonly [Session | undefined, Session | undefined];

/** Which slot is to be sent by. */
function slotOf({ link, way, states }: Scene, sessions: Sessions): 0 | 1 | undefined {
  const now = way === undefined ? -1 : link.slots.findIndex(({ reqid }) => reqid === way.reqid);
  if (now !== 0 && now !== 1) {
    const [a, b] = sessions.map((one) => (one !== undefined && isRipe(one) ? one : undefined));
    if (a === undefined || b === undefined) return a !== undefined ? 0 : b !== undefined ? 1 : undefined;
    // The elder: both ends have it for longer.
    return youngerFirst(a, b) < 0 ? 1 : 0;
  }
  const other = now === 0 ? 1 : 0;
  const candidate = sessions[other];
  if (candidate === undefined) return now;
  const carries = states[now].some(({ destination }) => destination === way?.remote);
  if (!carries) return other;
  const current = sessions[now];
  const younger = current === undefined || youngerFirst(candidate, current) < 0;
  return younger && isRipe(candidate) ? other : now;
}

/** The other end has it: it answered, or sends by it already, or it had the time. */
const isRipe = (session: Session): boolean =>
  session.sa.initiator || session.inbound.bytes > 0 || ageOf(session) >= TIMES.answer;

function wayOf({ link, way }: Scene, at: 0 | 1, session: Session | undefined): Way | undefined {
  if (session === undefined) return way;
  const { outbound } = session;
  return { reqid: link.slots[at].reqid, local: outbound.source, remote: outbound.destination };
}

function remember({ states, memory, steady }: Scene, aside: 0 | 1, there: boolean): Memory {
  const bytes = states[aside].reduce((sum, state) => sum + state.bytes, 0);
  const same = memory?.aside.bytes === bytes;
  return {
    attempts: memory?.attempts ?? 0,
    nextAt: memory?.nextAt ?? 0,
    ...(there ? { attempts: 0 } : {}),
    missingSince: there ? undefined : (memory?.missingSince ?? steady),
    aside: same ? memory.aside : { bytes, since: steady },
  };
}

function mayInitiate(scene: Scene, memory: Memory, replaces: boolean): boolean {
  const { link, sas, states, steady } = scene;
  const all = [...sas[0], ...sas[1]];
  const children = new Set(link.slots.map(({ connection }) => connection.child));
  const coming = all.some(
    (sa) =>
      sa.state === 'CONNECTING' ||
      sa.children.some(({ name, state }) => children.has(name) && COMING.has(state)),
  );
  // States without a session: charon was started anew, and the other end does not know.
  const abandoned = states[0].length + states[1].length > 0;
  const waited = steady - (memory.missingSince ?? steady) >= TIMES.patience * 1000;
  return !coming && steady >= memory.nextAt && (replaces || link.initiates || abandoned || waited);
}

/** Somebody emptied the kernel, and charon does not know. */
function hollow({ sas, states }: Scene, current: Session | undefined): string[] {
  const spis = new Set([...states[0], ...states[1]].map(({ spi }) => spi));
  return [...sas[0], ...sas[1]]
    .filter((sa) => {
      const settled = sa.children.filter(
        ({ state, installed = 0 }) => INSTALLED.has(state) && installed >= TIMES.settling,
      );
      const whole = settled.some(({ spiIn = 0, spiOut = 0 }) => spis.has(spiIn) && spis.has(spiOut));
      return sa !== current?.sa && settled.length > 0 && !whole;
    })
    .map(({ id }) => id);
}

interface Old {
  readonly memory: Memory;
  readonly current: Session;
  readonly aside: 0 | 1;
}

/** Sessions and states that the current session has taken the place of, once they are silent. */
function surplusOf(
  { link, sas, states, steady }: Scene,
  { memory, current, aside }: Old,
): Pick<Remedy, 'terminate' | 'removeStates'> {
  const quiet = (link.initiates ? TIMES.quiet : TIMES.quietOther) * 1000;
  if (ageOf(current) < TIMES.overlap || steady - memory.aside.since < quiet) return NOTHING;
  // What is younger would be the current one by now.
  const elder = (sa: IkeSa) =>
    sa.children.length > 0 && sa.children.every(({ installed = 0 }) => installed >= TIMES.overlap);
  const known = new Set(
    [...sas[0], ...sas[1]].flatMap(({ children }) =>
      children.flatMap(({ spiIn, spiOut }) => [spiIn, spiOut]),
    ),
  );
  return {
    // Not the others in the slot that is sent by, of ends that began at the same moment: which of them the other end sends by is its kernel's
    // choice. They go with the slot.
    terminate: sas[aside].filter(elder).map(({ id }) => id),
    // Known to nobody: of a charon that is no more.
    removeStates: states[aside].filter(({ spi }) => !known.has(spi)),
  };
}

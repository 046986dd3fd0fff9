/** Does what is to be done for links, `healing.ts` having said what: ways first, then sessions, then what is too many. */
import type { Daemon } from './daemon.ts';
import type { Remedy } from './healing.ts';
import type { WantedLink, Way } from './link.ts';
import type { Xfrm } from './xfrm/types.ts';

/** Milliseconds in which sessions are begun: those that are there by then are not to wait for the last. */
const ROUND = 2_000;
/** Sessions begun at a time. */
const AT_ONCE = 8;

/** The links of one device, looked at again and again. */
export interface Watched {
  /** By node. */
  readonly links: ReadonlyMap<string, WantedLink>;
  readonly wayOf: (link: WantedLink) => Way | undefined;
  readonly use: (ways: ReadonlyMap<WantedLink, Way>) => Promise<void>;
  /** What charon needs when the next sessions are made. */
  readonly loadRest: () => Promise<void>;
}

export interface Task {
  readonly link: WantedLink;
  readonly remedy: Remedy;
  readonly watched: Watched;
}

export interface TreatmentOptions {
  readonly daemon: Daemon;
  readonly xfrm: () => Xfrm;
  readonly steady: () => number;
}

/** What fails is seen again with the next look. @returns the tasks that have to wait for it, because there were too many. */
export async function treat(tasks: readonly Task[], options: TreatmentOptions): Promise<ReadonlySet<Task>> {
  const { daemon, xfrm } = options;
  for (const [watched, some] of Map.groupBy(tasks, (task) => task.watched)) await useWays(watched, some);
  const waiting = await initiate(tasks, options);
  const treated = tasks.filter((task) => !waiting.has(task));
  await Promise.all(
    treated
      .flatMap(({ remedy }) => remedy.terminate)
      .map((id) => ask(daemon, 'terminate', { 'ike-id': id, force: 'yes' })),
  );
  const removals = treated.flatMap(({ remedy }) => remedy.removeStates);
  await xfrm().write(removals.map((state) => ({ type: 'removeState', state }) as const));
  return waiting;
}

async function useWays(watched: Watched, tasks: readonly Task[]): Promise<void> {
  const ways = new Map<WantedLink, Way>();
  for (const { link, remedy } of tasks) {
    const { way } = remedy;
    if (way !== undefined && !sameWay(way, watched.wayOf(link))) ways.set(link, way);
  }
  if (ways.size > 0) await watched.use(ways);
}

async function initiate(
  tasks: readonly Task[],
  { daemon, steady }: TreatmentOptions,
): Promise<ReadonlySet<Task>> {
  const attempts = tasks.filter(({ remedy }) => remedy.initiate !== undefined);
  const deadline = steady() + ROUND;
  let at = 0;
  for (; at < attempts.length && steady() < deadline; at += AT_ONCE) {
    const some = attempts.slice(at, at + AT_ONCE).map(({ link, remedy }) => {
      const { name, child } = link.slots[remedy.initiate ?? 0].connection;
      return ask(daemon, 'initiate', { ike: name, child, 'init-limits': 'no' });
    });
    await Promise.all(some);
  }
  return new Set(attempts.slice(at));
}

const ask = ({ client }: Daemon, command: string, message: Record<string, string>) =>
  client.request(command, { ...message, timeout: '-1' }).catch(() => undefined);

const sameWay = (a: Way, b: Way | undefined) =>
  b !== undefined && a.reqid === b.reqid && a.local === b.local && a.remote === b.remote;

/** Looks after the links between two calls of `set`: makes sessions, sends by the best, and ends those that are too many. */
import type { DeviceName } from '../../mesh/types.ts';
import { interfaceId } from './connection.ts';
import type { Daemon } from './daemon.ts';
import { type Memory, type Remedy, remedyFor } from './healing.ts';
import type { WantedLink, Way } from './link.ts';
import { listSas } from './security.ts';
import type { Sessions } from './sessions.ts';
import type { State, Xfrm } from './xfrm/types.ts';

/** Milliseconds between two looks: while something is missing or changes, and while all is well. */
const LOOK = { soonest: 500, latest: 10_000 } as const;
/** Milliseconds after which charon is asked for all its SAs also when the kernel's states are the same, and it told of nothing. */
const LISTING = 60_000;
/** Milliseconds after charon told of a session: several come together. */
const GATHER = 50;
/** Milliseconds of one look in which sessions are begun: those that are there by then are not to wait for the last. */
const ROUND = 2_000;
/** Sessions begun at a time. */
const AT_ONCE = 8;
/** Milliseconds for which what is not needed yet waits for sessions that are missing. */
const FIRST_THINGS = 15_000;

export interface KeeperOptions {
  readonly daemon: Daemon;
  readonly xfrm: () => Xfrm;
  /** Milliseconds since any moment, never set. */
  readonly steady: () => number;
  /** Is told of all that is listed. */
  readonly sessions: Sessions;
}

/** The links of one device, looked at again and again. */
export interface Watched {
  /** By node. */
  readonly links: ReadonlyMap<string, WantedLink>;
  readonly wayOf: (link: WantedLink) => Way | undefined;
  readonly use: (ways: ReadonlyMap<WantedLink, Way>) => Promise<void>;
  /** What charon needs when the next sessions are made. */
  readonly loadRest: () => Promise<void>;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #devices = new Map<DeviceName, Watched>();
  /** By link: gone with it. */
  #memories = new WeakMap<WantedLink, Memory>();
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #woken = false;
  #subscribed = false;
  #pause: number = LOOK.soonest;
  /** When all was well: until when there is nothing to ask charon, and of which charon and states that is so. */
  #settled: { readonly until: number; readonly of: string } | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  watch(device: DeviceName, watched: Watched): void {
    this.#devices.set(device, watched);
    this.#wake(0);
  }

  forget(device: DeviceName): void {
    this.#devices.delete(device);
  }

  /** Those that have no session are tried again at once, by whichever end. @param nodes by name */
  provoke(nodes: readonly string[]): void {
    for (const { links } of this.#devices.values()) {
      for (const node of nodes) {
        const link = links.get(node);
        if (link !== undefined) this.#memories.set(link, PROVOKED);
      }
    }
    if (nodes.length > 0) this.#wake(0);
  }

  close(): void {
    this.#closed.abort();
    clearTimeout(this.#timer);
  }

  #wake(wait: number): void {
    this.#settled = undefined;
    this.#woken = true;
    this.#later(wait);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    if (this.#closed.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#turn(), wait).unref();
  }

  async #turn(): Promise<void> {
    // Whoever runs looks again when woken.
    if (this.#running) return;
    this.#running = true;
    this.#woken = false;
    this.#pause = LOOK.latest;
    try {
      await this.#subscribe();
      await this.#look();
    } catch {
      // charon is away: `set` says so, and makes another.
      this.#pause = LOOK.soonest;
    } finally {
      this.#running = false;
    }
    this.#later(this.#woken ? GATHER : Math.max(this.#pause, LOOK.soonest));
  }

  /** What charon tells is only a reason to look. */
  async #subscribe(): Promise<void> {
    if (this.#subscribed) return;
    const wake = () => this.#wake(GATHER);
    await this.#options.daemon.client.subscribe('child-updown', wake, this.#closed.signal);
    this.#subscribed = true;
  }

  async #look(): Promise<void> {
    const { daemon, xfrm, steady, sessions } = this.#options;
    const all = [...this.#devices.values()];
    const links = all.flatMap((one) => [...one.links.values()]);
    if (links.length === 0) return;
    const ids = new Set(links.map(({ generation }) => interfaceId(generation)));
    const read = () => xfrm().states((id) => ids.has(id));
    const identity = (found: readonly State[]) => `${daemon.epoch} ${spisOf(found)}`;
    const left = (this.#settled?.until ?? 0) - steady();
    if (left > 0 && this.#settled?.of === identity(await read())) {
      this.#pause = Math.min(this.#pause, left);
      return;
    }
    const listed = await listSas(daemon.client);
    sessions.learn(listed);
    const sas = Map.groupBy(listed, ({ name }) => name);
    // After charon: what it has installed is in the kernel.
    const found = await read();
    const states = Map.groupBy(found, ({ reqid }) => reqid);
    this.#settled = { of: identity(found), until: Number.POSITIVE_INFINITY };
    const tasks = all.flatMap((watched) =>
      Array.from(watched.links.values(), (link): Task => {
        const [a, b] = link.slots;
        const remedy = remedyFor({
          link,
          sas: [sas.get(a.connection.name) ?? [], sas.get(b.connection.name) ?? []],
          states: [states.get(a.reqid) ?? [], states.get(b.reqid) ?? []],
          way: watched.wayOf(link),
          memory: this.#memories.get(link),
          steady: steady(),
        });
        return { link, remedy, watched };
      }),
    );
    for (const { link, remedy } of tasks) this.#lookAgain(link, remedy);
    await this.#treat(all, tasks);
  }

  #lookAgain({ lifetime }: WantedLink, { memory, settled }: Remedy): void {
    const now = this.#options.steady();
    const missing = memory.missingSince !== undefined;
    const wait = settled ? (lifetime * 1000) / 4 : missing ? memory.nextAt - now : 1000;
    this.#pause = Math.min(this.#pause, wait);
    if (this.#settled === undefined) return;
    const until = Math.min(this.#settled.until, now + Math.min(wait, LISTING));
    this.#settled = settled ? { ...this.#settled, until } : undefined;
  }

  /** What fails is seen again with the next look. */
  async #treat(all: readonly Watched[], tasks: readonly Task[]): Promise<void> {
    const { daemon, xfrm, steady } = this.#options;
    const began = steady();
    for (const watched of all) await watched.use(newWays(tasks.filter((task) => task.watched === watched)));
    const ask = (command: string, message: Record<string, string>) =>
      daemon.client.request(command, { ...message, timeout: '-1' }).catch(() => undefined);
    for (const { link, remedy } of tasks)
      if (remedy.initiate === undefined) this.#memories.set(link, remedy.memory);
    const attempts = tasks.filter(({ remedy }) => remedy.initiate !== undefined);
    for (let at = 0; at < attempts.length; at += AT_ONCE) {
      if (steady() - began > ROUND) {
        this.#wake(0);
        break;
      }
      await Promise.all(
        attempts.slice(at, at + AT_ONCE).map(({ link, remedy }) => {
          this.#memories.set(link, remedy.memory);
          const { name, child } = link.slots[remedy.initiate ?? 0].connection;
          return ask('initiate', { ike: name, child, 'init-limits': 'no' });
        }),
      );
    }
    const surplus = tasks.flatMap(({ remedy }) => remedy.terminate);
    for (const id of surplus) await ask('terminate', { 'ike-id': id, force: 'yes' });
    const removals = tasks.flatMap(({ remedy }) => remedy.removeStates);
    await xfrm().write(removals.map((state) => ({ type: 'removeState', state }) as const));
    const awaited = tasks.some(
      ({ remedy: { memory } }) =>
        memory.missingSince !== undefined && steady() - memory.missingSince < FIRST_THINGS,
    );
    if (!awaited) for (const { loadRest } of all) void loadRest();
  }
}

interface Task {
  readonly link: WantedLink;
  readonly remedy: Remedy;
  readonly watched: Watched;
}

function newWays(tasks: readonly Task[]): ReadonlyMap<WantedLink, Way> {
  const ways = new Map<WantedLink, Way>();
  for (const { link, remedy, watched } of tasks) {
    const { way } = remedy;
    if (way !== undefined && !sameWay(way, watched.wayOf(link))) ways.set(link, way);
  }
  return ways;
}

const PROVOKED: Memory = {
  attempts: 0,
  nextAt: 0,
  missingSince: Number.NEGATIVE_INFINITY,
  aside: { bytes: 0, since: Number.POSITIVE_INFINITY },
};

const spisOf = (states: readonly State[]): string =>
  states
    .map(({ spi }) => spi)
    .sort((a, b) => a - b)
    .join(' ');

const sameWay = (a: Way, b: Way | undefined) =>
  b !== undefined && a.reqid === b.reqid && a.local === b.local && a.remote === b.remote;

/** Looks after the links between two calls of `set`: makes sessions, sends by the best, and ends those that are too many. */
import type { DeviceName } from '../../mesh/types.ts';
import { interfaceId } from './connection.ts';
import type { Daemon, Vici } from './daemon.ts';
import { type Memory, type Remedy, remedyFor } from './healing.ts';
import type { Slot, WantedLink } from './link.ts';
import { type IkeSa, listSas } from './security.ts';
import type { Sessions } from './sessions.ts';
import { type Task, treat, type Watched } from './treatment.ts';
import { type Section, sectionsOf } from './vici/message.ts';
import type { State, Xfrm } from './xfrm/types.ts';

/** Milliseconds between two looks: while something is missing or changes, and while all is well. */
const LOOK = { soonest: 500, latest: 10_000 } as const;
/** Milliseconds after which charon is asked for all its SAs also when the kernel's states are the same, and it told of nothing. */
const LISTING = 60_000;
/** After a list nothing is listed for so many times as long as it took, which is as long as there are SAs; and milliseconds of that at most. */
const REST = { times: 4, most: 1_000 } as const;
/** Links that are asked for one by one; more are not worth it. */
const FEW = { count: 8, share: 16 } as const;
/** Milliseconds after charon told of a session: several come together. */
const GATHER = 50;
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
  /** Links of which all was well, and the states that they had then. */
  #quiet = new WeakMap<WantedLink, string>();
  /** Names of connections that charon told something of since. */
  #told = new Set<string>();
  /** When all is listed again, and of which charon it was listed. */
  #listing = { due: Number.NEGATIVE_INFINITY, epoch: -1 };
  /** Until when nothing is listed. */
  #rest = Number.NEGATIVE_INFINITY;

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
        if (link === undefined) continue;
        this.#memories.set(link, PROVOKED);
        this.#quiet.delete(link);
      }
    }
    if (nodes.length > 0) this.#wake(0);
  }

  close(): void {
    this.#closed.abort();
    clearTimeout(this.#timer);
  }

  #wake(wait: number): void {
    this.#woken = true;
    this.#later(wait);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    if (this.#closed.signal.aborted) return;
    const rest = this.#rest - this.#options.steady();
    this.#timer = setTimeout(() => void this.#turn(), Math.max(wait, rest)).unref();
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
    const { client } = this.#options.daemon;
    const { signal } = this.#closed;
    const wake = (event: Section) => {
      for (const [name] of sectionsOf(event)) this.#told.add(name);
      this.#wake(GATHER);
    };
    await client.subscribe('child-updown', wake, signal);
    // A NAT has another address: an old charon does not tell of it.
    await client.subscribe('ike-update', wake, signal).catch(() => undefined);
    // Once, and not for each list.
    await client.subscribe('list-sa', () => undefined, signal);
    this.#subscribed = true;
  }

  async #look(): Promise<void> {
    const { xfrm, steady } = this.#options;
    const all = [...this.#devices.values()];
    const links = all.flatMap((one) => [...one.links.values()]);
    if (links.length === 0) return;
    const ids = new Set(links.map(({ generation }) => interfaceId(generation)));
    const read = async () => Map.groupBy(await xfrm().states((id) => ids.has(id)), ({ reqid }) => reqid);
    const busy = await this.#list(links, await read());
    // After charon: what it has installed is in the kernel.
    const states = busy.size === 0 ? new Map<number, State[]>() : await read();
    const tasks = all.flatMap((watched) =>
      [...watched.links.values()].flatMap((link): Task[] => {
        const sas = busy.get(link);
        return sas === undefined
          ? []
          : [{ link, watched, remedy: this.#judge(link, { sas, states, watched }) }];
      }),
    );
    const waiting = await treat(tasks, this.#options);
    for (const task of tasks) {
      if (waiting.has(task)) this.#quiet.delete(task.link);
      else this.#memories.set(task.link, task.remedy.memory);
    }
    if (waiting.size > 0) this.#wake(0);
    const awaited = tasks.some(
      ({ remedy: { memory } }) =>
        memory.missingSince !== undefined && steady() - memory.missingSince < FIRST_THINGS,
    );
    if (!awaited) for (const { loadRest } of all) void loadRest();
  }

  /** SAs of both slots of each link that there may be something to do for. */
  async #list(links: readonly WantedLink[], states: States): Promise<Map<WantedLink, Slots<IkeSa>>> {
    const { daemon, steady, sessions } = this.#options;
    const told = this.#told;
    this.#told = new Set();
    const began = steady();
    const full = began >= this.#listing.due || this.#listing.epoch !== daemon.epoch;
    const busy = full ? links : links.filter((link) => !this.#isQuiet(link, states, told));
    const one = !full && busy.length <= Math.max(FEW.count, links.length / FEW.share);
    const listed = one ? await listEach(daemon.client, busy) : await listSas(daemon.client);
    sessions.learn(listed, { all: !one });
    if (!one) {
      const soonest = Math.min(...links.map(({ lifetime }) => (lifetime * 1000) / 4));
      this.#listing = { due: began + Math.min(LISTING, soonest), epoch: daemon.epoch };
    }
    this.#pause = Math.min(this.#pause, this.#listing.due - steady());
    this.#rest = steady() + Math.min(REST.times * (steady() - began), REST.most);
    const sas = Map.groupBy(listed, ({ name }) => name);
    const of = ({ connection }: Slot) => sas.get(connection.name) ?? [];
    return new Map(busy.map((link) => [link, [of(link.slots[0]), of(link.slots[1])]]));
  }

  #isQuiet(link: WantedLink, states: States, told: ReadonlySet<string>): boolean {
    return (
      this.#quiet.get(link) === lookOf(link, states) &&
      !link.slots.some(({ connection }) => told.has(connection.name))
    );
  }

  #judge(link: WantedLink, { sas, states, watched }: Found): Remedy {
    const { steady } = this.#options;
    const [a, b] = link.slots;
    const remedy = remedyFor({
      link,
      sas,
      states: [states.get(a.reqid) ?? [], states.get(b.reqid) ?? []],
      way: watched.wayOf(link),
      memory: this.#memories.get(link),
      steady: steady(),
    });
    const { memory, settled } = remedy;
    if (settled) this.#quiet.set(link, lookOf(link, states));
    else this.#quiet.delete(link);
    const missing = memory.missingSince !== undefined;
    if (!settled) this.#pause = Math.min(this.#pause, missing ? memory.nextAt - steady() : 1000);
    return remedy;
  }
}

type States = ReadonlyMap<number, readonly State[]>;
type Slots<T> = readonly [readonly T[], readonly T[]];

interface Found {
  readonly sas: Slots<IkeSa>;
  readonly states: States;
  readonly watched: Watched;
}

async function listEach(client: Vici, links: readonly WantedLink[]): Promise<IkeSa[]> {
  const slots = links.flatMap((link) => link.slots);
  return (await Promise.all(slots.map(({ connection }) => listSas(client, connection.name)))).flat();
}

const PROVOKED: Memory = {
  attempts: 0,
  nextAt: 0,
  missingSince: Number.NEGATIVE_INFINITY,
  aside: { bytes: 0, since: Number.POSITIVE_INFINITY },
};

const lookOf = ({ slots }: WantedLink, states: States): string =>
  slots
    .flatMap(({ reqid }) => states.get(reqid) ?? [])
    .map(({ spi, source, destination }) => `${spi} ${source} ${destination}`)
    .sort()
    .join(' ');

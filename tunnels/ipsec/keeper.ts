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
  readonly use: (link: WantedLink, way: Way) => Promise<void>;
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
    for (const watched of all) {
      for (const link of watched.links.values()) {
        const [a, b] = link.slots;
        const remedy = remedyFor({
          link,
          sas: [sas.get(a.connection.name) ?? [], sas.get(b.connection.name) ?? []],
          states: [states.get(a.reqid) ?? [], states.get(b.reqid) ?? []],
          way: watched.wayOf(link),
          memory: this.#memories.get(link),
          steady: steady(),
        });
        this.#memories.set(link, remedy.memory);
        this.#lookAgain(link, remedy);
        await this.#apply(link, remedy, watched);
      }
    }
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
  async #apply(link: WantedLink, remedy: Remedy, { wayOf, use }: Watched): Promise<void> {
    const { client } = this.#options.daemon;
    const ask = (command: string, message: Record<string, string>) =>
      client.request(command, { ...message, timeout: '-1' }).catch(() => undefined);
    const { way, initiate } = remedy;
    if (way !== undefined && !sameWay(way, wayOf(link))) await use(link, way);
    if (initiate !== undefined) {
      const { name, child } = link.slots[initiate].connection;
      await ask('initiate', { ike: name, child, 'init-limits': 'no' });
    }
    for (const id of remedy.terminate) await ask('terminate', { 'ike-id': id, force: 'yes' });
    const removals = remedy.removeStates.map((state) => ({ type: 'removeState', state }) as const);
    await this.#options.xfrm().write(removals);
  }
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

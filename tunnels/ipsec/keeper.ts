/** Looks after the links between two calls of `set`: makes SAs where there are none, and ends those that are too many. */
import type { DeviceName } from '../../mesh/types.ts';
import { interfaceId } from './connection.ts';
import type { Daemon } from './daemon.ts';
import { type Attempts, type Remedy, remedyFor } from './healing.ts';
import type { WantedLink } from './link.ts';
import { type IkeSa, listSas } from './security.ts';
import type { State, Xfrm } from './xfrm/types.ts';

/** Milliseconds between two looks: while something is missing, and while nothing is. */
const LOOK = { soonest: 500, latest: 10_000 } as const;

export interface KeeperOptions {
  readonly daemon: Daemon;
  readonly xfrm: () => Xfrm;
  /** Milliseconds since any moment, never set. */
  readonly steady: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type Links = ReadonlyMap<string, WantedLink>;

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #devices = new Map<DeviceName, Links>();
  readonly #attempts = new Map<string, Attempts>();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** @param links by name of the connection; looked at again and again. */
  watch(device: DeviceName, links: Links): void {
    this.#devices.set(device, links);
    this.#later(0);
  }

  forget(device: DeviceName): void {
    this.#devices.delete(device);
  }

  /** These are tried again at once, by whichever end. */
  provoke(names: readonly string[]): void {
    for (const name of names)
      this.#attempts.set(name, { count: 0, nextAt: 0, missingSince: Number.NEGATIVE_INFINITY });
    if (names.length > 0) this.#later(0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      void this.#turn();
    }, wait).unref();
  }

  async #turn(): Promise<void> {
    if (this.#running) return this.#later(LOOK.soonest);
    this.#running = true;
    try {
      await this.#look();
    } catch {
      // charon is away: `set` says so, and makes another.
    } finally {
      this.#running = false;
    }
    this.#later(this.#pause());
  }

  #pause(): number {
    const due = Math.min(...Array.from(this.#attempts.values(), ({ nextAt }) => nextAt));
    const wait = Number.isFinite(due) ? due - this.#options.steady() : LOOK.latest;
    return Math.min(Math.max(wait, LOOK.soonest), LOOK.latest);
  }

  async #look(): Promise<void> {
    const { daemon, xfrm, now, steady } = this.#options;
    const links = [...this.#devices.values()].flatMap((one) => [...one.values()]);
    if (links.length === 0) return;
    const sas = groupBy(await listSas(daemon.client), ({ name }) => name);
    const ids = new Set(links.map(({ generation }) => interfaceId(generation)));
    const states = groupBy(await xfrm().states((id) => ids.has(id)), ({ reqid }) => reqid);
    for (const name of this.#attempts.keys()) {
      if (!links.some(({ connection }) => connection.name === name)) this.#attempts.delete(name);
    }
    for (const { connection, reqid } of links) {
      const remedy = remedyFor({
        link: connection,
        sas: sas.get(connection.name) ?? [],
        states: states.get(reqid) ?? [],
        attempts: this.#attempts.get(connection.name),
        steady: steady(),
        now: now(),
      });
      if (remedy.attempts === undefined) this.#attempts.delete(connection.name);
      else this.#attempts.set(connection.name, remedy.attempts);
      await this.#apply(connection, remedy);
    }
  }

  /** What fails is seen again with the next look. */
  async #apply({ name, child }: { name: string; child: string }, remedy: Remedy): Promise<void> {
    const { client } = this.#options.daemon;
    const ask = (command: string, message: Record<string, string>) =>
      client.request(command, { ...message, timeout: '-1' }).catch(() => undefined);
    for (const id of remedy.terminate) await ask('terminate', { 'ike-id': id, force: 'yes' });
    if (remedy.initiate) await ask('initiate', { ike: name, child, 'init-limits': 'no' });
    const removals = remedy.removeStates.map((state: State) => ({ type: 'removeState', state }) as const);
    await this.#options.xfrm().write(removals);
  }
}

function groupBy<K, T extends IkeSa | State>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  return Map.groupBy(items, key);
}

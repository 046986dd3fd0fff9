/** The connections of one device that charon has loaded, with the private key that they need. */
import type { PrivateKey } from 'wireguard-tools-wrapper';
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName } from '../../mesh/types.ts';
import { Delta, type Difference } from '../delta.ts';
import { change, type Outcome, refused } from '../failure.ts';
import { namePrefix } from './connection.ts';
import type { Vici } from './daemon.ts';
import { charonKeyId, privateKeyDer } from './key-encoding.ts';
import type { Slot, WantedLink } from './link.ts';
import { SELDOM } from './policy-table.ts';
import { listConnections } from './security.ts';
import { listAt } from './vici/message.ts';

/** Requests under way at a time. */
const AT_ONCE = 16;

interface Wanted extends Slot {
  readonly node: string;
  /** Name of the connection in the other slot. */
  readonly sibling: string;
}

type Update = Difference<Wanted, string>;

interface Load {
  readonly updates: readonly Update[];
  readonly loaded: (update: Update) => void;
  readonly refused: (update: Update, cause: unknown) => void;
}

export class ConnectionTable {
  readonly #device: DeviceName;
  /** By name of the connection; of one that is loaded, the name of its child says what it holds. */
  readonly #delta = new Delta<Wanted, string>(({ connection }, child) => connection.child === child);
  #keys: ReadonlySet<string> = new Set();
  /** Names of those that are loaded when nothing else is to be done. */
  readonly #rest = new Set<string>();
  #resting = false;
  /** How often nothing but names was read. */
  #passed = 0;

  constructor(device: DeviceName) {
    this.#device = device;
  }

  get disturbed(): boolean {
    return (
      this.#delta.updates().some(({ repaired, key }) => repaired && !this.#rest.has(key)) ||
      this.#delta.removals().some(({ repaired }) => repaired)
    );
  }

  want({ node, slots }: WantedLink): void {
    const [a, b] = slots;
    this.#delta.want(a.connection.name, { ...a, node, sibling: b.connection.name });
    this.#delta.want(b.connection.name, { ...b, node, sibling: a.connection.name });
  }

  unwant({ slots }: WantedLink): void {
    for (const { connection } of slots) {
      this.#delta.unwant(connection.name);
      this.#rest.delete(connection.name);
    }
  }

  /** What they hold only when there are others than before, and now and then: a list of names costs little. */
  async read(client: Vici, generation: number): Promise<void> {
    const own = namePrefix(generation);
    this.#keys = new Set(listAt(await client.request('get-keys'), 'keys'));
    const names = listAt(await client.request('get-conns'), 'conns').filter((name) => name.startsWith(own));
    if (this.#isAsBefore(names) && ++this.#passed < SELDOM) return;
    this.#passed = 0;
    const all = await listConnections(client);
    const loaded = [...all].filter(([name]) => name.startsWith(own));
    this.#delta.read(new Map(loaded.map(([name, { child }]) => [name, child])));
  }

  #isAsBefore(names: readonly string[]): boolean {
    return (
      this.#delta.isRead &&
      names.length === this.#delta.size &&
      names.every((name) => this.#delta.actual(name) !== undefined)
    );
  }

  async loadKey(client: Vici, publicKey: PublicKey, privateKey: PrivateKey): Promise<void> {
    const id = charonKeyId(publicKey);
    if (this.#keys.has(id)) return;
    const data = privateKeyDer(privateKey);
    try {
      await client.request('load-key', { type: 'ed25519', data });
    } finally {
      data.fill(0);
    }
    this.#keys = new Set([...this.#keys, id]);
  }

  /**
   * One that is changed keeps its SA, until there is one of the new kind. Of the two of a link, the one that is used next is loaded now, and
   * the other, which is in reserve, by `loadRest`: sessions are not to wait for it.
   */
  async load(
    client: Vici,
    outcome: Outcome,
    inReserve: (slot: Slot, node: string) => boolean,
  ): Promise<void> {
    const told = new Set<string>();
    const updates = this.#delta.updates();
    for (const { key, wanted, actual, repaired } of updates) {
      // Of those that somebody unloaded, and not with charon itself, none waits.
      const alone = repaired && this.#delta.actual(wanted.sibling) !== undefined;
      const waits = actual === undefined && !alone && inReserve(wanted, wanted.node);
      if (waits) this.#rest.add(key);
      else this.#rest.delete(key);
    }
    await this.#loadAll(client, {
      updates: updates.filter(({ key }) => !this.#rest.has(key)),
      loaded: ({ wanted, actual, repaired }) => {
        // One line a peer, which has two.
        if (told.has(wanted.node)) return;
        told.add(wanted.node);
        const action = actual === undefined ? 'add' : 'change';
        outcome.changed(change('peer', action, { what: this.#describe(wanted), repaired }));
      },
      refused: ({ wanted }, cause) =>
        outcome.failed({ ...refused('peer', this.#describe(wanted), cause), node: wanted.node }),
    });
  }

  /** What is refused here is loaded, and told, with the next `load`. */
  async loadRest(client: Vici): Promise<void> {
    if (this.#resting || this.#rest.size === 0) return;
    this.#resting = true;
    const keys = new Set(this.#rest);
    const updates = this.#delta.updates().filter(({ key }) => keys.has(key));
    await this.#loadAll(client, { updates, loaded: () => undefined, refused: () => undefined });
    for (const key of keys) this.#rest.delete(key);
    this.#resting = false;
  }

  async #loadAll(client: Vici, { updates, loaded, refused }: Load): Promise<void> {
    for (let at = 0; at < updates.length; at += AT_ONCE) {
      const some = updates.slice(at, at + AT_ONCE);
      const answers = await Promise.allSettled(
        some.map(({ wanted }) => client.request('load-conn', wanted.connection.message)),
      );
      for (const [i, update] of some.entries()) {
        const answer = answers[i];
        if (answer?.status === 'rejected') refused(update, answer.reason);
        else this.#delta.wrote(update.key, update.wanted.connection.child);
        if (answer?.status === 'fulfilled') loaded(update);
      }
    }
  }

  #describe({ node, remote }: Wanted): string {
    return `${node} on ${this.#device}: endpoint ${remote}`;
  }

  /** @returns the names of those that are gone: their SAs are to go too. */
  async unload(client: Vici, outcome: Outcome): Promise<string[]> {
    const gone: string[] = [];
    for (const { key, repaired } of this.#delta.removals()) {
      try {
        await client.request('unload-conn', { name: key });
        this.#delta.removed(key);
        gone.push(key);
        outcome.changed(change('peer', 'remove', { what: `${key} on ${this.#device}`, repaired }));
      } catch (cause) {
        outcome.failed(refused('peer', `${key} on ${this.#device}`, cause));
      }
    }
    return gone;
  }
}

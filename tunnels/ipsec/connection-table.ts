/** The connections of one device that charon has loaded, with the private key that they need. */
import type { PrivateKey } from 'wireguard-tools-wrapper';
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName } from '../../mesh/types.ts';
import { Delta } from '../delta.ts';
import { change, type Outcome, refused } from '../failure.ts';
import { namePrefix } from './connection.ts';
import type { Vici } from './daemon.ts';
import { charonKeyId, privateKeyDer } from './key-encoding.ts';
import type { Slot, WantedLink } from './link.ts';
import { listConnections } from './security.ts';
import { listAt } from './vici/message.ts';

interface Wanted extends Slot {
  readonly node: string;
}

export class ConnectionTable {
  readonly #device: DeviceName;
  /** By name of the connection; of one that is loaded, the name of its child says what it holds. */
  readonly #delta = new Delta<Wanted, string>(({ connection }, child) => connection.child === child);
  #keys: ReadonlySet<string> = new Set();

  constructor(device: DeviceName) {
    this.#device = device;
  }

  get disturbed(): boolean {
    return (
      this.#delta.updates().some(({ repaired }) => repaired) ||
      this.#delta.removals().some(({ repaired }) => repaired)
    );
  }

  want({ node, slots }: WantedLink): void {
    for (const slot of slots) this.#delta.want(slot.connection.name, { ...slot, node });
  }

  unwant({ slots }: WantedLink): void {
    for (const { connection } of slots) this.#delta.unwant(connection.name);
  }

  async read(client: Vici, generation: number): Promise<void> {
    const all = await listConnections(client);
    const own = namePrefix(generation);
    const loaded = [...all].filter(([name]) => name.startsWith(own));
    this.#delta.read(new Map(loaded.map(([name, { child }]) => [name, child])));
    this.#keys = new Set(listAt(await client.request('get-keys'), 'keys'));
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

  /** One that is changed keeps its SA, until there is one of the new kind. */
  async load(client: Vici, outcome: Outcome): Promise<void> {
    const told = new Set<string>();
    for (const { key, wanted, actual, repaired } of this.#delta.updates()) {
      const { node, connection, remote } = wanted;
      const what = `${node} on ${this.#device}: endpoint ${remote}`;
      try {
        await client.request('load-conn', connection.message);
        this.#delta.wrote(key, connection.child);
        // One line a peer, which has two.
        if (told.has(node)) continue;
        told.add(node);
        outcome.changed(change('peer', actual === undefined ? 'add' : 'change', { what, repaired }));
      } catch (cause) {
        outcome.failed({ ...refused('peer', what, cause), node });
      }
    }
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

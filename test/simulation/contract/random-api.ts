/** Whatever is written to two API servers in the same order: they answer alike, and tell the same. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NodeMetadata } from '../../../operator/kube/node.ts';
import { A, B, C, codeOf, type Nodes, told } from './api.ts';

export interface Write {
  readonly verb: 'create' | 'delete' | 'apply' | 'merge';
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly manager: 'sheath-agent' | 'another';
  /** Of the object as it was made; and of one of that name before it. */
  readonly uid: 'absent' | 'its own' | 'a former';
  readonly resourceVersion: 'absent' | 'its own' | 'a former';
}

const values = fc.constantFrom('1', '2');

export const writes: fc.Arbitrary<readonly Write[]> = fc.array(
  fc.record({
    verb: fc.constantFrom('create', 'delete', 'apply', 'apply', 'apply', 'merge', 'merge'),
    annotations: fc.dictionary(fc.constantFrom(A, B, C), fc.oneof(values, values, fc.constant(null))),
    manager: fc.constantFrom('sheath-agent', 'another'),
    uid: fc.constantFrom('absent', 'its own', 'its own', 'a former'),
    resourceVersion: fc.constantFrom('absent', 'absent', 'its own', 'a former'),
  }),
  { minLength: 3, maxLength: 10 },
);

const NAME = 'walked';

/** One Node, and what is known of it. */
class Server {
  readonly #nodes: Nodes;
  #now: NodeMetadata | undefined;
  #former: NodeMetadata | undefined;
  #begun = '';
  #changes = 0;

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  async end(): Promise<void> {
    await codeOf(this.#nodes.delete(NAME));
  }

  async begin(): Promise<void> {
    await this.end();
    this.#begun = (await this.#nodes.list()).version;
    this.#now = this.#former = undefined;
    this.#changes = 0;
  }

  /** The code of a refusal, or what it is now. */
  async write(write: Write): Promise<unknown> {
    const before = this.#now;
    const refusal = await codeOf(this.#do(write));
    this.#now = await this.#nodes.get(NAME).catch(() => undefined);
    const changed = before?.resourceVersion !== this.#now?.resourceVersion;
    if (changed) this.#changes += 1;
    if (changed && before !== undefined) this.#former = before;
    return { refusal, changed, annotations: this.#now?.annotations };
  }

  async told(): Promise<readonly string[]> {
    return this.#changes === 0 ? [] : told(await this.#nodes.events(this.#begun, this.#changes));
  }

  #do({ verb, manager, ...write }: Write): Promise<unknown> {
    if (verb === 'create') return this.#nodes.create(NAME);
    if (verb === 'delete') return this.#nodes.delete(NAME);
    const of = { absent: undefined, 'its own': this.#now, 'a former': this.#former };
    const [uid, resourceVersion] = [of[write.uid]?.uid, of[write.resourceVersion]?.resourceVersion];
    const asked = {
      name: NAME,
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const { annotations } = write;
    if (verb === 'merge') return this.#nodes.merge({ ...asked, annotations });
    const named = Object.entries(annotations).filter((entry): entry is [string, string] => entry[1] !== null);
    return this.#nodes.apply({ ...asked, annotations: Object.fromEntries(named) }, manager);
  }
}

export async function writeToBoth(real: Nodes, model: Nodes, list: readonly Write[]): Promise<void> {
  const servers = [new Server(real), new Server(model)] as const;
  for (const server of servers) await server.begin();
  for (const write of list) {
    const [one, other] = [await servers[0].write(write), await servers[1].write(write)];
    assert.deepEqual(other, one, `model and real after ${JSON.stringify(write)}`);
  }
  assert.deepEqual(await servers[1].told(), await servers[0].told());
  for (const server of servers) await server.end();
}

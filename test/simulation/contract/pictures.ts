/** What somebody knows of the Nodes who watches them, is cut off, and comes back. */
import assert from 'node:assert/strict';
import type { Clock } from '../../../operator/clock.ts';
import { NODES, type NodeMetadata, parseNodeMetadata } from '../../../operator/kube/node.ts';
import { reflect } from '../../../operator/kube/reflector.ts';
import { A, type ApiWorld, Nodes } from './api.ts';

export interface FarApiWorld extends ApiWorld {
  /** As who is `client`, by a way that can be cut. */
  readonly far: ApiWorld['client'];
  readonly clock: Clock;
  cut(isOff: boolean): Promise<void>;
}

/** As long as a watch needs to come back, with all that is waited between tries. */
const LONGEST = 90_000;

class Picture {
  readonly #world: FarApiWorld;
  readonly #known = new Map<string, NodeMetadata>();
  lists = 0;
  troubles = 0;

  constructor(world: FarApiWorld, signal: AbortSignal) {
    this.#world = world;
    const put = (node: NodeMetadata) => void this.#known.set(node.name, node);
    const handler = {
      replace: (nodes: readonly NodeMetadata[]) => {
        this.lists += 1;
        this.#known.clear();
        for (const node of nodes) put(node);
      },
      upsert: put,
      remove: ({ name }: NodeMetadata) => void this.#known.delete(name),
      trouble: (error: unknown) => {
        if (error !== undefined) this.troubles += 1;
      },
    };
    const keep = parseNodeMetadata;
    const { far: client, clock } = world;
    void reflect(
      { client, clock, path: NODES, metadataOnly: true, keep, handler, random: () => 0.5 },
      signal,
    );
  }

  async becomes(wanted: Readonly<Record<string, string>>): Promise<void> {
    const ends = this.#world.clock.now() + LONGEST;
    for (;;) {
      const seen = Object.fromEntries(
        [...this.#known].map(([name, { annotations }]) => [name, annotations[A]]),
      );
      if (JSON.stringify(seen) === JSON.stringify(wanted)) return;
      if (this.#world.clock.now() > ends) assert.deepEqual(seen, wanted);
      await this.wait(50);
    }
  }

  async fails(): Promise<void> {
    for (const before = this.troubles; this.troubles === before; ) await this.wait(50);
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.clock.after(ms, resolve));
  }
}

export function pictureContract(world: () => FarApiWorld): void {
  let ending: AbortController;
  let picture: Picture;
  const nodes = () => new Nodes(world().client);
  const write = (name: string, value: string) => nodes().merge({ name, annotations: { [A]: value } });

  beforeEach(async () => {
    for (const name of ['n1', 'n2']) await nodes().create(name);
    await write('n1', '1');
    await write('n2', '1');
    ending = new AbortController();
    picture = new Picture(world(), ending.signal);
    await picture.becomes({ n1: '1', n2: '1' });
  });
  afterEach(async () => {
    ending.abort();
    for (const { name } of (await nodes().list()).nodes) await nodes().delete(name);
  });

  it('is told as it happens', async () => {
    await write('n1', '2');
    await picture.becomes({ n1: '2', n2: '1' });
    await nodes().delete('n2');
    await picture.becomes({ n1: '2' });
    assert.equal(picture.lists, 1);
  });

  it('knows nothing new while cut off, and then all of it, without another list', async () => {
    await world().cut(true);
    await picture.fails();
    await write('n1', '2');
    await nodes().delete('n2');
    await picture.wait(1_000);
    await picture.becomes({ n1: '1', n2: '1' });
    await world().cut(false);
    await picture.becomes({ n1: '2' });
    assert.equal(picture.lists, 1);
  });

  it('lists again when what happened meanwhile is forgotten', async () => {
    await world().cut(true);
    await picture.fails();
    await write('n1', '2');
    await nodes().delete('n2');
    await world().forget();
    await world().cut(false);
    await picture.becomes({ n1: '2' });
    assert.equal(picture.lists, 2);
  });
}

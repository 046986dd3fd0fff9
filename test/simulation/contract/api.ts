/** What the simulation's verdicts rest on of an API server, said of any: the model and a real one have to agree. */
import assert from 'node:assert/strict';
import type { KubeClient, WatchEvent } from '../../../operator/kube/client.ts';
import { KubeError } from '../../../operator/kube/errors.ts';
import {
  applied,
  NODES,
  type NodeMetadata,
  nodePath,
  parseNodeMetadata,
} from '../../../operator/kube/node.ts';

export interface ApiWorld {
  readonly client: KubeClient;
  /** Nobody can ask any more for what happened until now. */
  forget(): Promise<void>;
}

type Annotations = Readonly<Record<string, string | null>>;

export interface Asked {
  readonly name: string;
  readonly annotations?: Annotations;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

type Applied = Parameters<typeof applied>[0];

export const A = 'sheath.dev/a';
export const B = 'sheath.dev/b';
export const C = 'sheath.dev/c';

/** Few words for what an agent, or another hand, does to Nodes. */
export class Nodes {
  readonly client: KubeClient;
  constructor(client: KubeClient) {
    this.client = client;
  }

  create = async (name: string): Promise<NodeMetadata> =>
    parsed(await this.client.create(NODES, body({ name })));
  delete = (name: string): Promise<unknown> => this.client.delete(nodePath(name));
  get = async (name: string): Promise<NodeMetadata> => parsed(await this.client.get(nodePath(name)));
  apply = async (asked: Applied, fieldManager = 'sheath-agent'): Promise<NodeMetadata> =>
    parsed(
      await this.client.apply(nodePath(asked.name), applied(asked), {
        fieldManager,
        force: true,
        metadataOnly: true,
      }),
    );
  merge = async (asked: Asked): Promise<NodeMetadata> =>
    parsed(await this.client.merge(nodePath(asked.name), body(asked)));

  async list(limit = 500): Promise<{ readonly nodes: readonly NodeMetadata[]; readonly version: string }> {
    const nodes: NodeMetadata[] = [];
    let version = '';
    for await (const page of this.client.list(NODES, { limit, metadataOnly: true })) {
      assert.ok(version === '' || version === page.resourceVersion, 'one list, one version');
      version = page.resourceVersion;
      nodes.push(...page.items.map(parsed));
    }
    return { nodes, version };
  }

  /** The first events after a version. */
  async events(resourceVersion: string, count: number): Promise<readonly WatchEvent[]> {
    const events: WatchEvent[] = [];
    const options = { resourceVersion, timeoutSeconds: 30, metadataOnly: true };
    for await (const event of this.client.watch(NODES, options)) {
      if (event.type !== 'BOOKMARK') events.push(event);
      if (events.length === count) break;
    }
    return events;
  }
}

function body({ name, ...metadata }: Asked): object {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, ...metadata } };
}

function parsed(object: unknown): NodeMetadata {
  const metadata = parseNodeMetadata(object);
  if (metadata === undefined) throw new Error('the answer is no Node');
  return metadata;
}

/** The code of its failure; undefined: it did not fail. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof KubeError) return error.code;
    throw error;
  }
}

/** `MODIFIED n1 {"sheath.dev/a":"1"}` */
export const told = (events: readonly WatchEvent[]): readonly string[] =>
  events.map(({ type, object }) => {
    const { name, annotations } = parsed(object);
    const sorted = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
    return `${type} ${name} ${JSON.stringify(Object.fromEntries(sorted))}`;
  });

export function apiContract(world: () => ApiWorld): void {
  const nodes = () => new Nodes(world().client);

  it('lists page by page, all of one moment', async () => {
    for (const name of ['list-1', 'list-2', 'list-3']) await nodes().create(name);
    const { nodes: found, version } = await nodes().list(2);
    const ours = found.filter(({ name }) => name.startsWith('list-'));
    assert.deepEqual(ours.map(({ name }) => name).sort(), ['list-1', 'list-2', 'list-3']);
    for (const { resourceVersion } of ours) assert.ok(BigInt(resourceVersion) <= BigInt(version));
    for (const { name } of ours) await nodes().delete(name);
  });

  it('tells what happened since a version, in order, and goes on from any event', async () => {
    const { version } = await nodes().list();
    await nodes().create('told');
    await nodes().merge({ name: 'told', annotations: { [A]: '1' } });
    await nodes().delete('told');
    await nodes().create('told');
    await nodes().delete('told');
    const all = [
      'ADDED told {}',
      `MODIFIED told {"${A}":"1"}`,
      `DELETED told {"${A}":"1"}`,
      'ADDED told {}',
      'DELETED told {}',
    ];
    const events = await nodes().events(version, all.length);
    assert.deepEqual(told(events), all);
    const versions = events.map(({ object }) => BigInt(parsed(object).resourceVersion));
    for (const [at, one] of versions.entries()) if (at > 0) assert.ok(one > (versions[at - 1] ?? 0n));
    assert.notEqual(parsed(events[0]?.object).uid, parsed(events[3]?.object).uid);
    for (const [at, { object }] of events.slice(0, -1).entries())
      assert.deepEqual(
        told(await nodes().events(parsed(object).resourceVersion, all.length - at - 1)),
        all.slice(at + 1),
      );
  });

  it('ends a watch in its time, which is no error', async () => {
    const { version } = await nodes().list();
    const options = { resourceVersion: version, timeoutSeconds: 1, metadataOnly: true };
    for await (const { type } of world().client.watch(NODES, options)) assert.equal(type, 'BOOKMARK');
  });

  it('an apply leaves what others wrote, takes away what it names no more, and is nothing when nothing is new', async () => {
    const { uid } = await nodes().create('applied');
    await nodes().merge({ name: 'applied', annotations: { [C]: 'theirs' } });
    const first = await nodes().apply({ name: 'applied', uid, annotations: { [A]: '1', [B]: '1' } });
    assert.deepEqual(first.annotations, { [A]: '1', [B]: '1', [C]: 'theirs' });
    const again = await nodes().apply({ name: 'applied', uid, annotations: { [A]: '1', [B]: '1' } });
    assert.equal(again.resourceVersion, first.resourceVersion);
    const less = await nodes().apply({ name: 'applied', uid, annotations: { [A]: '2' } });
    assert.deepEqual(less.annotations, { [A]: '2', [C]: 'theirs' });
    const none = await nodes().apply({ name: 'applied', uid, annotations: {} });
    assert.deepEqual(none.annotations, { [C]: 'theirs' });
    await nodes().delete('applied');
  });

  it('nobody writes to another Node of that name, nor to one that is gone', async () => {
    const { uid } = await nodes().create('another');
    await nodes().delete('another');
    assert.equal(await codeOf(nodes().apply({ name: 'another', uid, annotations: {} })), 'CONFLICT');
    assert.equal(await codeOf(nodes().merge({ name: 'another', annotations: {} })), 'NOT_FOUND');
    assert.equal(await codeOf(nodes().get('another')), 'NOT_FOUND');
    assert.equal(await codeOf(nodes().delete('another')), 'NOT_FOUND');
    await nodes().create('another');
    assert.equal(await codeOf(nodes().apply({ name: 'another', uid, annotations: {} })), 'INVALID');
    assert.equal(await codeOf(nodes().merge({ name: 'another', uid, annotations: {} })), 'INVALID');
    await nodes().delete('another');
  });

  it('nor over what was changed meanwhile, where he says what he knew', async () => {
    const { resourceVersion } = await nodes().create('changed');
    await nodes().merge({ name: 'changed', annotations: { [A]: '1' } });
    const late = { name: 'changed', resourceVersion, annotations: { [A]: '2' } };
    assert.equal(await codeOf(nodes().merge(late)), 'CONFLICT');
    assert.equal(await codeOf(nodes().apply(late)), 'CONFLICT');
    assert.deepEqual((await nodes().get('changed')).annotations, { [A]: '1' });
    await nodes().delete('changed');
  });

  it('a name is given once', async () => {
    await nodes().create('once');
    assert.equal(await codeOf(nodes().create('once')), 'CONFLICT');
    await nodes().delete('once');
  });

  it('what is forgotten is gone: then a list tells how it is', async () => {
    const { version } = await nodes().list();
    await nodes().create('forgotten');
    await nodes().merge({ name: 'forgotten', annotations: { [A]: '1' } });
    await world().forget();
    assert.equal(await codeOf(nodes().events(version, 1)), 'GONE');
    const now = await nodes().list();
    assert.ok(now.nodes.some(({ name }) => name === 'forgotten'));
    await nodes().delete('forgotten');
    assert.deepEqual(told(await nodes().events(now.version, 1)), [`DELETED forgotten {"${A}":"1"}`]);
  });
}

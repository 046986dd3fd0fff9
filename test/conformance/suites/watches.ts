import assert from 'node:assert/strict';
import { type Client, type Loose, METADATA, NODES, node } from '../client.ts';

/** Watches: what they begin with, what they say, how they end. */
export function watches(client: () => Client): void {
  const told = (events: readonly Loose[]) =>
    events.map(({ type, object }) => `${type} ${object.metadata.name}`);
  const version = async (): Promise<string> => (await client().get(NODES)).body.metadata.resourceVersion;

  it('tells what happened since a resource version, in order', async () => {
    const from = await version();
    await client().post(NODES, node('watch-a'));
    await client().merge(`${NODES}/watch-a`, { metadata: { annotations: { step: '1' } } });
    await client().delete(`${NODES}/watch-a`);
    const { status, events } = await client().watch(`${NODES}?watch=true&resourceVersion=${from}`, {
      enough: (seen) => seen.length === 3,
    });
    assert.equal(status, 200);
    assert.deepEqual(told(events), ['ADDED watch-a', 'MODIFIED watch-a', 'DELETED watch-a']);
    assert.equal(events[1].object.kind, 'Node');
    const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(
      versions,
      [...new Set(versions)].sort((a, b) => a - b),
      'each has a version of its own',
    );
  });

  it('goes on telling', async () => {
    const collect = await client().begin(`${NODES}?watch=1&resourceVersion=${await version()}`, { count: 2 });
    await client().post(NODES, node('watch-b'));
    await client().delete(`${NODES}/watch-b`);
    assert.deepEqual(told(await collect()), ['ADDED watch-b', 'DELETED watch-b']);
  });

  it('begins with what is there when no version is named', async () => {
    await client().post(NODES, node('watch-c'));
    const path = `${NODES}?watch=true&fieldSelector=metadata.name%3Dwatch-c`;
    const { events } = await client().watch(path, { enough: (seen) => seen.length === 1 });
    assert.deepEqual(told(events), ['ADDED watch-c']);
  });

  it('adds and deletes what enters and leaves the selection', async () => {
    const collect = await client().begin(
      `${NODES}?watch=true&labelSelector=in%3Dyes&resourceVersion=${await version()}`,
      { count: 2 },
    );
    await client().post(NODES, node('watch-d'));
    await client().merge(`${NODES}/watch-d`, { metadata: { labels: { in: 'yes' } } });
    await client().merge(`${NODES}/watch-d`, { metadata: { labels: { in: 'no' } } });
    assert.deepEqual(told(await collect()), ['ADDED watch-d', 'DELETED watch-d']);
  });

  it('tells metadata only', async () => {
    await client().post(NODES, node('watch-e', { a: 'b' }));
    const { events } = await client().watch(`${NODES}?watch=true&fieldSelector=metadata.name%3Dwatch-e`, {
      accept: METADATA,
      enough: (seen) => seen.length === 1,
    });
    assert.equal(events[0].object.kind, 'PartialObjectMetadata');
    assert.equal(events[0].object.status, undefined);
    assert.deepEqual(events[0].object.metadata.annotations, { a: 'b' });
  });

  it('ends after timeoutSeconds, with a bookmark before, when others than the watched changed', async () => {
    const from = await version();
    const path = `${NODES}?watch=true&fieldSelector=metadata.name%3Dnobody&timeoutSeconds=4&allowWatchBookmarks=true&resourceVersion=${from}`;
    const whole = await client().begin(path);
    const partial = await client().begin(path, { accept: METADATA });
    await client().post(NODES, node('watch-g'));
    const events = await whole();
    assert.deepEqual([...new Set(events.map(({ type }) => type))], ['BOOKMARK']);
    assert.equal(events[0].object.kind, 'Node');
    assert.equal(events[0].object.metadata.name, undefined);
    assert.ok(Number(events[0].object.metadata.resourceVersion) > Number(from));
    assert.equal((await partial())[0].object.kind, 'PartialObjectMetadata');
  }).timeout(20_000);

  it('streams a list: what is there, then a bookmark that says so', async () => {
    await client().post(NODES, node('watch-f'));
    const path =
      `${NODES}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true` +
      '&fieldSelector=metadata.name%3Dwatch-f';
    const { events } = await client().watch(path, { enough: (seen) => seen.at(-1).type === 'BOOKMARK' });
    assert.equal(events.length, 2);
    assert.equal(events[1].object.metadata.annotations['k8s.io/initial-events-end'], 'true');
  });
}

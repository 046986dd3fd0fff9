import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { type Client, METADATA_LIST, NODES, node } from '../client.ts';

/** Lists: whole, in pages, selected, as metadata, compressed. */
export function lists(client: () => Client): void {
  const NAMES = ['list-a', 'list-b', 'list-c', 'list-d', 'list-e'];
  const labelled = 'labelSelector=suite%3Dlists';

  before(async () => {
    for (const name of NAMES) {
      const object = node(name);
      await client().post(NODES, {
        ...object,
        metadata: { ...object.metadata, labels: { suite: 'lists', which: name } },
      });
    }
  });

  const names = (body: { items: { metadata: { name: string } }[] }) =>
    body.items.map((item) => item.metadata.name);

  it('lists in the order of names, with one resource version', async () => {
    const { body } = await client().get(NODES);
    assert.equal(body.kind, 'NodeList');
    assert.equal(body.apiVersion, 'v1');
    assert.deepEqual(names(body), [...names(body)].sort());
    assert.ok(Number(body.metadata.resourceVersion) > 0);
    assert.equal(body.items[0].kind, undefined, 'items of a list of Nodes do not repeat their kind');
  });

  it('selects by label and by name', async () => {
    assert.deepEqual(names((await client().get(`${NODES}?${labelled}`)).body), NAMES);
    assert.deepEqual(
      names((await client().get(`${NODES}?labelSelector=suite%3Dlists,which!%3Dlist-b`)).body).length,
      4,
    );
    assert.deepEqual(names((await client().get(`${NODES}?fieldSelector=metadata.name%3Dlist-c`)).body), [
      'list-c',
    ]);
  });

  it('gives pages that show one state, whatever happens meanwhile', async () => {
    const first = (await client().get(`${NODES}?limit=2&${labelled}`)).body;
    assert.deepEqual(names(first), ['list-a', 'list-b']);
    assert.equal(first.metadata.remainingItemCount, undefined, 'it is not counted with a selector');
    await client().delete(`${NODES}/list-d`);
    const token = encodeURIComponent(first.metadata.continue);
    const second = (await client().get(`${NODES}?limit=2&${labelled}&continue=${token}`)).body;
    assert.deepEqual(names(second), ['list-c', 'list-d']);
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
    const last = (
      await client().get(
        `${NODES}?limit=2&${labelled}&continue=${encodeURIComponent(second.metadata.continue)}`,
      )
    ).body;
    assert.deepEqual(names(last), ['list-e']);
    assert.equal(last.metadata.continue, undefined);
    assert.equal((await client().get(`${NODES}?limit=1`)).body.metadata.remainingItemCount > 0, true);
  });

  it('refuses a continue token that is none', async () => {
    assert.equal((await client().get(`${NODES}?limit=1&continue=nonsense`)).status, 400);
  });

  it('lists metadata only', async () => {
    const { body } = await client().get(`${NODES}?${labelled}`, METADATA_LIST);
    assert.equal(body.kind, 'PartialObjectMetadataList');
    assert.equal(body.apiVersion, 'meta.k8s.io/v1');
    const [item] = body.items;
    assert.equal(item.kind, 'PartialObjectMetadata');
    assert.deepEqual(Object.keys(item).sort(), ['apiVersion', 'kind', 'metadata']);
    assert.equal(item.metadata.labels.suite, 'lists');
  });

  it('compresses long lists for those who accept it, and short ones for nobody', async () => {
    const gzipped = { accept: 'application/json', 'accept-encoding': 'gzip' };
    const short = await client().raw({
      path: `${NODES}?fieldSelector=metadata.name%3Dlist-a`,
      headers: gzipped,
    });
    assert.equal(short.headers['content-encoding'], undefined);
    await client().post(NODES, node('list-long', { long: 'x'.repeat(200_000) }));
    const long = await client().raw({ path: NODES, headers: gzipped });
    assert.equal(long.headers['content-encoding'], 'gzip');
    assert.ok(long.bytes.length < 100_000);
    assert.equal(JSON.parse(gunzipSync(long.bytes).toString()).kind, 'NodeList');
    assert.equal((await client().raw({ path: NODES })).headers['content-encoding'], undefined);
    await client().delete(`${NODES}/list-long`);
  });
}

import assert from 'node:assert/strict';
import { ApiServer } from '../../lab/api/server.ts';
import { Client, NODES, node } from '../conformance/client.ts';

describe('the embedded API server misbehaves on request', () => {
  let server: ApiServer;
  let client: Client;

  beforeEach(async () => {
    server = new ApiServer();
    const url = new URL(await server.listen());
    client = new Client({ url, tls: {}, headers: {} });
    await client.post(NODES, node('n1'));
  });
  afterEach(() => server.close());

  it('answers with an error for so many requests', async () => {
    server.inject({ kind: 'status', status: 503, retryAfter: 2, verb: 'get', requests: 2 });
    const answers = [];
    for (let i = 0; i < 3; i += 1) answers.push(await client.raw({ path: `${NODES}/n1` }));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [503, 503, 200],
    );
    assert.equal(answers[0]?.headers['retry-after'], '2');
  });

  it('concerns the requests that are meant', async () => {
    server.inject({ kind: 'status', verb: 'list', resource: 'nodes' });
    assert.equal((await client.get(`${NODES}/n1`)).status, 200);
    assert.equal((await client.get('/api/v1/namespaces')).status, 200);
    assert.equal((await client.get(NODES)).status, 500);
    server.clearFaults();
    assert.equal((await client.get(NODES)).status, 200);
  });

  it('ends a fault after its time', async () => {
    let now = 0;
    const timed = new ApiServer({ now: () => now });
    const url = new URL(await timed.listen());
    const asked = new Client({ url, tls: {}, headers: {} });
    timed.inject({ kind: 'status', forMs: 1000 });
    now = 999;
    assert.equal((await asked.get(NODES)).status, 500);
    now = 1001;
    assert.equal((await asked.get(NODES)).status, 200);
    await timed.close();
  });

  it('cuts a connection instead of answering', async () => {
    server.inject({ kind: 'cut', requests: 1 });
    await assert.rejects(client.get(NODES), { code: 'ECONNRESET' });
    assert.equal((await client.get(NODES)).status, 200);
  });

  it('cuts running watches', async () => {
    const events = await client.begin(`${NODES}?watch=true&resourceVersion=${server.store.version}`);
    const ended = assert.rejects(events(), { code: 'ECONNRESET' });
    server.cutConnections();
    await ended;
  });

  it('shows an old list', async () => {
    server.inject({ kind: 'stale', requests: 1 });
    await client.post(NODES, node('n2'));
    const stale = (await client.get(NODES)).body;
    assert.equal(stale.items.length, 1);
    const fresh = (await client.get(NODES)).body;
    assert.equal(fresh.items.length, 2);
    assert.ok(Number(stale.metadata.resourceVersion) < Number(fresh.metadata.resourceVersion));
  });

  it('forgets: 410 for old watches and continue tokens', async () => {
    await client.post(NODES, node('n2'));
    const page = (await client.get(`${NODES}?limit=1`)).body;
    server.compact();
    const { status, events } = await client.watch(`${NODES}?watch=true&resourceVersion=1`);
    assert.equal(status, 200);
    assert.equal(events[0].type, 'ERROR');
    assert.equal(events[0].object.code, 410);
    assert.equal(events[0].object.reason, 'Expired');
    const next = await client.get(`${NODES}?limit=1&continue=${page.metadata.continue}`);
    assert.equal(next.status, 410);
    const now = server.store.version;
    const told = await client.begin(`${NODES}?watch=true&resourceVersion=${now}`, { count: 1 });
    await client.post(NODES, node('n3'));
    assert.equal((await told())[0].object.metadata.name, 'n3');
  });

  it('says 410 to a watch, as status and as event', async () => {
    server.inject({ kind: 'gone', verb: 'watch', requests: 1 });
    assert.equal((await client.get(`${NODES}?watch=true`)).status, 410);
    server.inject({ kind: 'gone-event', requests: 1 });
    const { status, events } = await client.watch(`${NODES}?watch=true`);
    assert.equal(status, 200);
    assert.equal(events[0].object.code, 410);
  });

  it('takes the same by HTTP', async () => {
    assert.equal((await client.post('/lab/faults', { kind: 'nonsense' })).status, 400);
    assert.equal(
      (await client.post('/lab/faults', { kind: 'status', status: 429, requests: 1 })).status,
      200,
    );
    assert.equal((await client.get(NODES)).status, 429);
    assert.equal((await client.post('/lab/compact', {})).status, 200);
  });

  it('comes back on its port with what it had', async () => {
    await server.close();
    await assert.rejects(client.get(NODES));
    await server.listen();
    assert.equal((await client.get(NODES)).body.items.length, 1);
  });

  it('sends bookmarks while others change', async () => {
    const quick = new ApiServer({ bookmarkEvery: 10 });
    const url = new URL(await quick.listen());
    const asked = new Client({ url, tls: {}, headers: {} });
    const path = `${NODES}?watch=true&allowWatchBookmarks=true&resourceVersion=${quick.store.version}`;
    const told = await asked.begin(`${path}&fieldSelector=metadata.name%3Dnobody`, { count: 1 });
    await asked.post(NODES, node('n1'));
    const [bookmark] = await told();
    assert.equal(bookmark.type, 'BOOKMARK');
    assert.equal(bookmark.object.metadata.resourceVersion, String(quick.store.version));
    await quick.close();
  });
});

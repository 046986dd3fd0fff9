import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../../lab/api/server.ts';
import type { ApiTarget } from '../../lab/api-client.ts';
import type { Clock } from '../../operator/clock.ts';
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts';
import type { KubeError } from '../../operator/kube/errors.ts';
import { parseNodeMetadata } from '../../operator/kube/node.ts';
import { openCluster } from '../../operator/kube/open.ts';
import { reflect } from '../../operator/kube/reflector.ts';
import { createTransport } from '../../operator/kube/transport.ts';
import { type KubeApiserver, startKubeApiserver } from '../support/kube-apiserver.ts';
import { annotateNode, apiTarget, createNode, deleteNode } from '../support/nodes.ts';

/** Runs a hundred times as fast for what waits on purpose; what waits for the network is not touched. */
const hasty: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms / 100);
    return () => clearTimeout(timer);
  },
};

/** What the reflector was told, as a picture of the collection. */
class Picture {
  readonly nodes = new Map<string, string>();
  readonly troubles: string[] = [];
  readonly replaced: number[] = [];
  readonly faults: unknown[] = [];
  throwOn: string | undefined;
  readonly #ending = new AbortController();
  readonly #done: Promise<void>;

  constructor(client: KubeClient) {
    const options = {
      client,
      path: '/api/v1/nodes',
      metadataOnly: true,
      clock: hasty,
      random: Math.random,
      limit: 3,
    };
    const put = (item: { name: string; mark: string }) => {
      if (item.name === this.throwOn) throw new Error('the handler failed');
      this.nodes.set(item.name, item.mark);
    };
    this.#done = reflect(
      {
        ...options,
        keep(object) {
          const metadata = parseNodeMetadata(object);
          return metadata === undefined
            ? undefined
            : { name: metadata.name, mark: metadata.annotations['sheath.dev/mark'] ?? '' };
        },
        handler: {
          replace: (items) => {
            this.replaced.push(items.length);
            this.nodes.clear();
            for (const item of items) put(item);
          },
          upsert: put,
          remove: ({ name }) => void this.nodes.delete(name),
          trouble: (error: KubeError | undefined) =>
            void (error !== undefined && this.troubles.push(error.code)),
          failed: (error) => void this.faults.push(error),
        },
      },
      this.#ending.signal,
    );
  }

  async becomes(expected: Record<string, string>): Promise<void> {
    const deadline = Date.now() + 15_000;
    const wanted = JSON.stringify(Object.entries(expected));
    for (;;) {
      const now = JSON.stringify([...this.nodes].sort());
      if (now === wanted) return;
      if (Date.now() > deadline) assert.fail(`${now} is not ${wanted}; troubles ${this.troubles.join(' ')}`);
      await sleep(10);
    }
  }

  end(): Promise<void> {
    this.#ending.abort();
    return this.#done;
  }
}

const spec = (name: string, mark: string) => ({
  name,
  podCIDRs: [],
  addresses: [],
  annotations: { 'sheath.dev/mark': mark },
});

describe('the reflector, against a server that misbehaves', () => {
  let server: ApiServer;
  let target: ApiTarget;
  let client: KubeClient;
  let picture: Picture;

  beforeEach(async () => {
    server = new ApiServer({ bookmarkEvery: 50 });
    const url = new URL(await server.listen());
    target = { url, tls: {}, headers: {} };
    for (const name of ['n1', 'n2', 'n3', 'n4']) await createNode(target, spec(name, 'a'));
    client = createKubeClient(
      createTransport({ server: url, tls: {}, origin: 'test', authorization: async () => undefined }, 'test'),
    );
    picture = new Picture(client);
    await picture.becomes({ n1: 'a', n2: 'a', n3: 'a', n4: 'a' });
  });
  afterEach(async () => {
    await picture.end();
    client.close();
    await server.close();
  });

  const mark = (name: string, value: string) => annotateNode(target, name, { 'sheath.dev/mark': value });

  it('follows additions, changes and deletions without a second list', async () => {
    await createNode(target, spec('n5', 'b'));
    await mark('n1', 'b');
    await deleteNode(target, 'n2');
    await picture.becomes({ n1: 'b', n3: 'a', n4: 'a', n5: 'b' });
    assert.deepEqual(picture.replaced, [4]);
  });

  it('goes on from where it was when connections are cut, without a list', async () => {
    server.cutConnections();
    await mark('n1', 'b');
    await picture.becomes({ n1: 'b', n2: 'a', n3: 'a', n4: 'a' });
    assert.deepEqual(picture.replaced, [4]);
  });

  it('lists again when its version is gone: as an answer, as an event, after a compaction', async () => {
    server.inject({ kind: 'gone', verb: 'watch', requests: 1 });
    server.cutConnections();
    await mark('n1', 'b');
    await picture.becomes({ n1: 'b', n2: 'a', n3: 'a', n4: 'a' });
    server.inject({ kind: 'gone-event', verb: 'watch', requests: 1 });
    server.cutConnections();
    await mark('n1', 'c');
    await picture.becomes({ n1: 'c', n2: 'a', n3: 'a', n4: 'a' });
    await server.close();
    await sleep(30);
    await server.listen();
    await deleteNode(target, 'n4');
    server.compact();
    server.cutConnections();
    await picture.becomes({ n1: 'c', n2: 'a', n3: 'a' });
    assert.ok(picture.replaced.length >= 3);
  });

  it('does not believe a list that is older than what it saw', async () => {
    server.inject({ kind: 'stale', verb: 'list', requests: 2 });
    await deleteNode(target, 'n2');
    await mark('n1', 'b');
    await picture.becomes({ n1: 'b', n3: 'a', n4: 'a' });
    server.compact();
    server.cutConnections();
    const shown: string[] = [];
    const watcher = setInterval(() => shown.push(picture.nodes.get('n1') ?? 'none'), 1);
    await mark('n3', 'b');
    await picture.becomes({ n1: 'b', n3: 'b', n4: 'a' });
    clearInterval(watcher);
    assert.equal(shown.includes('a'), false);
  });

  it('comes back after errors, and after an outage', async () => {
    server.inject({ kind: 'status', status: 500, requests: 4 });
    server.cutConnections();
    await mark('n1', 'b').catch(() => undefined);
    await picture.becomes({ n1: 'a', n2: 'a', n3: 'a', n4: 'a' });
    server.clearFaults();
    await server.close();
    await sleep(200);
    assert.ok(picture.troubles.includes('API_UNREACHABLE'));
    await server.listen();
    await mark('n1', 'b');
    await picture.becomes({ n1: 'b', n2: 'a', n3: 'a', n4: 'a' });
  });

  it('is not harmed by a handler that throws', async () => {
    picture.throwOn = 'n2';
    await mark('n2', 'b');
    await mark('n3', 'b');
    await picture.becomes({ n1: 'a', n2: 'a', n3: 'b', n4: 'a' });
    assert.equal(picture.faults.length, 1);
    picture.throwOn = undefined;
    await mark('n2', 'c');
    await picture.becomes({ n1: 'a', n2: 'c', n3: 'b', n4: 'a' });
  });

  it('ends at once when it is told to', async () => {
    await picture.end();
    await mark('n1', 'z');
    await sleep(50);
    assert.equal(picture.nodes.get('n1'), 'a');
  });
});

describe('the reflector, against the real kube-apiserver', function () {
  this.timeout(180_000);
  let server: KubeApiserver;
  before(async () => {
    server = await startKubeApiserver();
  });
  after(() => server.stop());

  it('follows Nodes as metadata, over a restart of the server', async () => {
    const target = await apiTarget(server.kubeconfigPath);
    for (let i = 1; i <= 7; i += 1) await createNode(target, spec(`n${i}`, 'a'));
    const { client } = await openCluster({ kubeconfig: server.kubeconfigPath, environment: {} }, 'test');
    const picture = new Picture(client);
    const all = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`n${i + 1}`, 'a']));
    await picture.becomes(all);
    await annotateNode(target, 'n3', { 'sheath.dev/mark': 'b' });
    await deleteNode(target, 'n7');
    const { n7: _, ...left } = all;
    await picture.becomes({ ...left, n3: 'b' });
    await server.restart();
    await annotateNode(target, 'n4', { 'sheath.dev/mark': 'c' });
    await picture.becomes({ ...left, n3: 'b', n4: 'c' });
    await picture.end();
    client.close();
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../../lab/api/server.ts';
import type { ApiTarget } from '../../lab/api-client.ts';
import { type AgentOptions, runAgent } from '../../operator/agent/run.ts';
import { loadLayers } from '../../operator/config/load.ts';
import { OperatorError } from '../../operator/errors.ts';
import type { AgentEvent, AgentStatus, PlanAnswer } from '../../operator/status.ts';
import { annotateNode, createNode, deleteNode, getNode } from '../support/nodes.ts';
import { FakeKernel, FakeNetwork, fakeDataplane } from './fake-kernel.ts';

describe('the agent, with a fake kernel and the embedded API server', () => {
  let folder: string;
  let server: ApiServer;
  let target: ApiTarget;
  let network: FakeNetwork;
  let requests: { method: string; path: string }[];
  let onWrite: (request: { method: string; path: string }) => void;
  const running = new Set<Running>();

  interface Running {
    readonly name: string;
    readonly done: Promise<void>;
    stop(): Promise<void>;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-agent-'));
    requests = [];
    onWrite = () => {};
    server = new ApiServer({
      bookmarkEvery: 1000,
      onRequest(each) {
        requests.push(each);
        onWrite(each);
      },
    });
    target = { url: new URL(await server.listen()), tls: {}, headers: {} };
    await writeFile(
      join(folder, 'kubeconfig'),
      JSON.stringify({
        'current-context': 'lab',
        contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
        clusters: [{ name: 'lab', cluster: { server: target.url.origin } }],
        users: [{ name: 'lab', user: {} }],
      }),
    );
    network = new FakeNetwork();
    for (const i of [1, 2, 3])
      await createNode(target, {
        name: `n${i}`,
        podCIDRs: [`10.244.${i}.0/24`],
        addresses: [`192.0.2.${i}`],
      });
  });
  afterEach(async () => {
    await Promise.all([...running].map((each) => each.stop()));
    await server.close();
    await rm(folder, { recursive: true });
  });

  async function start(
    name: string,
    kernel: FakeKernel,
    more: { encryption?: string; http?: string } = {},
  ): Promise<Running> {
    const layers = await loadLayers({
      flags: { encryption: more.encryption ?? 'wireguard' },
      environment: {},
    });
    const options: AgentOptions = {
      nodeName: name,
      layers,
      kubeconfig: join(folder, 'kubeconfig'),
      stateDir: join(folder, name, 'state'),
      runDir: join(folder, name, 'run'),
      logLevel: 'silent',
      version: '9.9.9',
      dataplane: fakeDataplane(kernel),
      ...(more.http === undefined ? {} : { http: more.http }),
    };
    const ending = new AbortController();
    const done = runAgent(options, ending.signal);
    done.catch(() => undefined);
    const self: Running = {
      name,
      done,
      async stop() {
        running.delete(self);
        ending.abort();
        await done.catch(() => undefined);
      },
    };
    running.add(self);
    return self;
  }

  const get = async <T>(name: string, path: string): Promise<T> =>
    JSON.parse((await ask(join(folder, name, 'run', 'agent.sock'), path)).body) as T;
  const status = (name: string) => get<AgentStatus>(name, '/status');

  async function until<T>(what: string, look: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
    const deadline = Date.now() + 12_000;
    let last: unknown;
    while (Date.now() < deadline) {
      try {
        const value = await look();
        if (good(value)) return value;
        last = value;
      } catch (error) {
        last = error;
      }
      await sleep(20);
    }
    return assert.fail(`${what}: ${JSON.stringify(last instanceof Error ? last.message : last)}`);
  }
  const becomes = (name: string, state: AgentStatus['state']) =>
    until(
      `${name} is ${state}`,
      () => status(name),
      (now) => now.state === state,
    );
  const annotations = async (name: string) =>
    sorted((await getNode(target, name)).metadata.annotations ?? {});

  async function mesh(): Promise<Record<'n1' | 'n2' | 'n3', FakeKernel>> {
    const kernels = { n1: new FakeKernel(network), n2: new FakeKernel(network), n3: new FakeKernel(network) };
    for (const [name, kernel] of Object.entries(kernels)) await start(name, kernel);
    for (const name of Object.keys(kernels)) await becomes(name, 'encrypted');
    return kernels;
  }

  it('publishes its key and meshes with the others', async () => {
    const { n1 } = await mesh();
    const now = await status('n1');
    assert.deepEqual(
      now.peers.map(({ node, state }) => [node, state]),
      [
        ['n2', 'routed'],
        ['n3', 'routed'],
      ],
    );
    assert.deepEqual(now.problems, []);
    assert.equal(now.publish.state, 'published');
    assert.equal(now.records.source, 'api');
    assert.deepEqual(
      n1.listed('route').filter((route) => route.includes('10.244.2.0/24')),
      ['route 10.244.2.0/24 device table 51830'],
    );
    const published = await annotations('n1');
    assert.equal(published['sheath.dev/endpoints'], '192.0.2.1');
    assert.equal(published['sheath.dev/prefixes'], '10.244.1.0/24');
    assert.deepEqual(JSON.parse(published['sheath.dev/generations'] ?? ''), [
      { generation: 1, driver: 'wireguard', publicKey: now.generations[0]?.publicKey, port: 51831 },
    ]);
  });

  it('programs device and peers before others can learn of its key', async () => {
    const kernel = new FakeKernel(network);
    let itemsAtPublish: number | undefined;
    const agent = await start('n1', kernel);
    await until(
      'published',
      () => annotations('n1'),
      (now) => {
        if (now['sheath.dev/generations'] !== undefined) itemsAtPublish ??= kernel.listed('device').length;
        return itemsAtPublish !== undefined;
      },
    );
    assert.equal(itemsAtPublish, 1);
    await agent.stop();
  });

  it('stops sending in clear once every peer that was there has its route, and says so once', async () => {
    await start('n1', new FakeKernel(network));
    await becomes('n1', 'plaintext');
    await until(
      'n1 published',
      () => annotations('n1'),
      (now) => now['sheath.dev/sending'] === '1',
    );
    await start('n2', new FakeKernel(network));
    await until(
      'n2 says both',
      () => annotations('n2'),
      (now) => now['sheath.dev/sending'] !== undefined,
    );
    await becomes('n2', 'partial');
    await until(
      'n2 sends encrypted only',
      () => annotations('n2'),
      (now) => now['sheath.dev/sending'] === '1',
    );
    await start('n3', new FakeKernel(network));
    await becomes('n2', 'encrypted');
    const writes = requests.filter(({ method, path }) => method === 'PATCH' && path.includes('/n2'));
    assert.ok(writes.length <= 2, `${writes.length} writes`);
  });

  it('writes nothing to the kernel or the API after a restart, however it ended', async () => {
    const { n1 } = await mesh();
    const [agent] = [...running].filter((each) => each.name === 'n1');
    await agent?.stop();
    n1.writes.length = 0;
    requests.length = 0;
    await start('n1', n1);
    await becomes('n1', 'encrypted');
    await sleep(300);
    assert.deepEqual(n1.writes, []);
    assert.deepEqual(
      requests.filter(({ method, path }) => method !== 'GET' && path.includes('/n1')),
      [],
    );
  });

  it('puts back what another hand removed, at once', async () => {
    const { n1 } = await mesh();
    const before = [...n1.items].sort();
    n1.lose(/^route 10\.244\.2/);
    await until(
      'the route is back',
      async () => [...n1.items].sort(),
      (items) => items.join() === before.join(),
    );
  });

  it('puts back its annotations when somebody overwrites or removes them', async () => {
    await mesh();
    const before = await annotations('n1');
    await annotateNode(target, 'n1', { 'sheath.dev/endpoints': '198.51.100.1', 'sheath.dev/sending': null });
    await until(
      'the annotations are back',
      () => annotations('n1'),
      (now) => JSON.stringify(now) === JSON.stringify(before),
    );
  });

  it('keeps the tunnels when its own Node is deleted, and publishes anew when it comes back', async () => {
    const { n1 } = await mesh();
    const items = [...n1.items].sort();
    await deleteNode(target, 'n1');
    await until(
      'it is said',
      () => status('n1'),
      (now) => now.problems.some((problem) => problem.code === 'NOT_FOUND'),
    );
    assert.deepEqual([...n1.items].sort(), items);
    await createNode(target, { name: 'n1', podCIDRs: ['10.244.1.0/24'], addresses: ['192.0.2.1'] });
    const uid = (await getNode(target, 'n1')).metadata.uid;
    await until(
      'published anew',
      () => annotations('n1'),
      (now) => now['sheath.dev/generations'] !== undefined,
    );
    await until(
      'it knows its uid',
      () => status('n1'),
      (now) => now.uid === uid && now.problems.length === 0,
    );
  });

  it('boots from its disk while the API server is away, and says how old its knowledge is', async () => {
    const { n1 } = await mesh();
    const [agent] = [...running].filter((each) => each.name === 'n1');
    await agent?.stop();
    await server.close();
    n1.reboot();
    await start('n1', n1);
    const now = await becomes('n1', 'encrypted');
    assert.equal(now.records.source, 'disk');
    assert.equal(now.records.connected, false);
    assert.ok((now.records.age ?? 0) > 0);
    assert.ok(now.problems.some((problem) => problem.code === 'API_UNREACHABLE'));
    await server.listen();
    await until(
      'it follows the API again',
      () => status('n1'),
      (later) => later.records.source === 'api' && later.problems.length === 0,
    );
  });

  it('takes a fresh key when it boots with its clock behind the last time on disk', async () => {
    const { n1 } = await mesh();
    const before = (await status('n1')).generations[0]?.publicKey;
    const [agent] = [...running].filter((each) => each.name === 'n1');
    await agent?.stop();
    const future = Date.now() / 1000 + 3600;
    await utimes(join(folder, 'n1', 'state', 'records.json'), future, future);
    n1.reboot();
    await start('n1', n1);
    const after = (await becomes('n1', 'encrypted')).generations[0]?.publicKey;
    assert.notEqual(after, before);
    await until(
      'n2 has it',
      () => status('n2'),
      (now) => now.state === 'encrypted' && now.peers[0]?.publicKey === after,
    );
  });

  it('takes everything back with encryption none: traffic first, then the key, the device last', async () => {
    const { n1, n2 } = await mesh();
    const [agent] = [...running].filter((each) => each.name === 'n1');
    await agent?.stop();
    n1.writes.length = 0;
    let routedAtWithdrawal: number | undefined;
    onWrite = ({ method, path }) => {
      if (method === 'PATCH' && path.includes('/n1')) routedAtWithdrawal ??= n1.listed('route').length;
    };
    await start('n1', n1, { encryption: 'none' });
    await until(
      'the kernel is empty',
      async () => [...n1.items],
      (items) => items.length === 0,
    );
    const order = [...new Set(n1.writes.map(({ part }) => part))];
    assert.ok(order.indexOf('route') < order.indexOf('device'));
    assert.equal(routedAtWithdrawal, 0);
    assert.deepEqual(await annotations('n1'), {});
    assert.equal((await status('n1')).state, 'plaintext');
    await until(
      'n2 sends to it in clear',
      async () => n2.listed('route'),
      (routes) => !routes.some((route) => route.includes('10.244.1.0')),
    );
  });

  it('a bad record costs its own node the tunnel, and nobody else', async () => {
    await mesh();
    await createNode(target, {
      name: 'evil',
      podCIDRs: ['10.244.9.0/24'],
      addresses: ['192.0.2.9'],
      annotations: {
        'sheath.dev/generations': '[{',
        'sheath.dev/prefixes': '10.244.2.0/24',
        'sheath.dev/endpoints': '192.0.2.9',
      },
    });
    const now = await until(
      'it is named',
      () => status('n1'),
      ({ refused }) => refused.some(({ node }) => node === 'evil'),
    );
    assert.deepEqual(
      now.peers.filter((peer) => peer.state === 'routed').map((peer) => peer.node),
      ['n2', 'n3'],
    );
  });

  it('decides who owns a contended prefix by what the API server vouches for', async () => {
    const { n1 } = await mesh();
    const thief = await annotations('n3');
    await createNode(target, {
      name: 'a-thief',
      podCIDRs: ['10.244.9.0/24'],
      addresses: ['192.0.2.9'],
      annotations: {
        ...thief,
        'sheath.dev/generations':
          thief['sheath.dev/generations']?.replace(
            /"publicKey":"[^"]+"/,
            `"publicKey":"${'A'.repeat(42)}I="`,
          ) ?? '',
        'sheath.dev/endpoints': '192.0.2.9',
        'sheath.dev/prefixes': '10.244.2.0/24',
      },
    });
    const now = await until(
      'it is refused',
      () => status('n1'),
      ({ refused }) => refused.some(({ node }) => node === 'a-thief'),
    );
    const [refusal] = now.refused;
    assert.equal(refusal?.inFavourOf, 'n2');
    assert.equal(now.peers.find((peer) => peer.node === 'n2')?.state, 'routed');
    assert.ok(n1.listed('peer').some((peer) => peer.startsWith('peer n2') && peer.includes('10.244.2.0/24')));
  });

  describe('its doors', () => {
    it('tells what it would change, and follows events', async () => {
      const { n1 } = await mesh();
      assert.deepEqual((await get<PlanAnswer>('n1', '/plan')).changes, []);
      const events: AgentEvent[] = [];
      const socketPath = join(folder, 'n1', 'run', 'agent.sock');
      const following = request({ socketPath, path: '/events' }, (response) => {
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          for (const line of text.split('\n'))
            if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)) as AgentEvent);
        });
        response.on('error', () => undefined);
      });
      following.on('error', () => undefined);
      following.end();
      await until(
        'the first event',
        async () => events,
        ([first]) => first?.type === 'status',
      );
      n1.lose(/^route 10\.244\.3/);
      await until(
        'the change',
        async () => events,
        (all) => all.some((event) => event.type === 'change' && event.change.what.includes('10.244.3')),
      );
      following.destroy();
    });

    it('are for root only, and only one agent stands behind them', async () => {
      await start('n1', new FakeKernel(network));
      await becomes('n1', 'plaintext');
      assert.equal((await stat(join(folder, 'n1', 'run', 'agent.sock'))).mode & 0o777, 0o600);
      const second = await start('n1', new FakeKernel(network));
      await assert.rejects(
        second.done,
        (error) => error instanceof OperatorError && error.code === 'ALREADY_RUNNING',
      );
      assert.equal((await status('n1')).node, 'n1');
    });

    it('open over a socket that a killed agent left', async () => {
      const agent = await start('n1', new FakeKernel(network));
      await becomes('n1', 'plaintext');
      await agent.stop();
      await writeFile(join(folder, 'n1', 'run', 'agent.sock'), '');
      await start('n1', new FakeKernel(network));
      await becomes('n1', 'plaintext');
    });

    it('show metrics of the peers there are, and hide the plan from the network', async () => {
      const port = 20_000 + (process.pid % 20_000);
      await start('n1', new FakeKernel(network), { http: `127.0.0.1:${port}` });
      await start('n2', new FakeKernel(network));
      await becomes('n2', 'partial');
      const metrics = async () => (await ask({ port }, '/metrics')).body;
      const text = await until('n2 is routed', metrics, (body) =>
        body.includes('sheath_peer_state{peer="n2",state="routed"} 1'),
      );
      assert.match(text, /sheath_mesh_peers\{state="routed"\} 1/);
      assert.match(text, /sheath_build_info\{version="9\.9\.9"\} 1/);
      assert.match(text, /sheath_generation 1/);
      await deleteNode(target, 'n2');
      await until('n2 vanishes', metrics, (body) => !body.includes('peer="n2"'));
      assert.equal((await ask({ port }, '/plan')).status, 404);
      assert.equal((await ask({ port }, '/events')).status, 404);
      assert.equal((await ask({ port }, '/readyz')).status, 200);
      assert.equal((await ask({ port }, '/healthz')).status, 200);
    });
  });

  describe('does not start, and says why', () => {
    const fails = async (name: string, kernel: FakeKernel, code: string, exitCode: number) => {
      const agent = await start(name, kernel);
      await assert.rejects(agent.done, (error: unknown) => {
        assert.ok(error instanceof OperatorError, String(error));
        assert.deepEqual([error.code, error.exitCode], [code, exitCode]);
        assert.ok(error.message.length > 20 && !error.message.includes('\n'));
        return true;
      });
    };

    it('where there is no such Node', () => fails('n9', new FakeKernel(network), 'NODE_NOT_FOUND', 2));

    it('without the right to change the kernel', async () => {
      const kernel = new FakeKernel(network);
      kernel.errors = [{ part: 'device', code: 'NOT_PERMITTED', message: 'device sheath1: EPERM' }];
      await fails('n1', kernel, 'NOT_PERMITTED', 1);
      assert.deepEqual(await annotations('n1'), {});
    });

    it('when its port is taken', async () => {
      const kernel = new FakeKernel(network);
      kernel.errors = [
        {
          part: 'device',
          code: 'PORT_TAKEN',
          message: 'port 51831 is taken: change it with --wireguard-port',
        },
      ];
      await fails('n1', kernel, 'DATAPLANE', 1);
    });

    it('when its key is damaged, and leaves that key alone', async () => {
      const agent = await start('n1', new FakeKernel(network));
      await becomes('n1', 'plaintext');
      await agent.stop();
      const { readdir } = await import('node:fs/promises');
      const keys = join(folder, 'n1', 'state', 'keys');
      const [file = ''] = (await readdir(keys)).filter((each) => each.includes('1'));
      await writeFile(join(keys, file), 'garbage');
      const again = await start('n1', new FakeKernel(network));
      await assert.rejects(again.done, { name: 'KeyringError' });
      assert.equal(await readFile(join(keys, file), 'utf8'), 'garbage');
    });
  });

  it('goes on after a damaged record file, for it is only a copy', async () => {
    const agent = await start('n1', new FakeKernel(network));
    await becomes('n1', 'plaintext');
    await agent.stop();
    await writeFile(join(folder, 'n1', 'state', 'records.json'), '{"version":1,');
    await start('n1', new FakeKernel(network));
    await becomes('n1', 'plaintext');
  });
});

function sorted(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).sort());
}

function ask(where: string | { port: number }, path: string): Promise<{ status: number; body: string }> {
  const to = typeof where === 'string' ? { socketPath: where } : { host: '127.0.0.1', port: where.port };
  return new Promise((resolve, reject) => {
    const asked = request({ ...to, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

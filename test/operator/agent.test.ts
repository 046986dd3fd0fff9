import assert from 'node:assert/strict';
import { createNode } from '../support/nodes.ts';
import { until, useAgents } from './agents.ts';
import { FakeKernel } from './fake-kernel.ts';

describe('the agent meshes its node with the others', () => {
  const lab = useAgents();

  it('publishes its key and meshes with the others', async () => {
    const { n1 } = await lab.now.mesh();
    const now = await lab.now.status('n1');
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
    const published = await lab.now.annotations('n1');
    assert.equal(published['sheath.dev/endpoints'], '192.0.2.1');
    assert.equal(published['sheath.dev/prefixes'], '10.244.1.0/24');
    assert.deepEqual(JSON.parse(published['sheath.dev/generations'] ?? ''), [
      { generation: 1, driver: 'wireguard', publicKey: now.generations[0]?.publicKey, port: 51831 },
    ]);
  });

  it('programs device and peers before others can learn of its key', async () => {
    const kernel = new FakeKernel(lab.now.network);
    let itemsAtPublish: number | undefined;
    const agent = await lab.now.start('n1', kernel);
    await until(
      'published',
      () => lab.now.annotations('n1'),
      (now) => {
        if (now['sheath.dev/generations'] !== undefined) itemsAtPublish ??= kernel.listed('device').length;
        return itemsAtPublish !== undefined;
      },
    );
    assert.equal(itemsAtPublish, 1);
    await agent.stop();
  });

  it('stops sending in clear once every peer that was there has its route, and says so once', async () => {
    await lab.now.start('n1', new FakeKernel(lab.now.network));
    await lab.now.becomes('n1', 'plaintext');
    await until(
      'n1 published',
      () => lab.now.annotations('n1'),
      (now) => now['sheath.dev/sending'] === '1',
    );
    await lab.now.start('n2', new FakeKernel(lab.now.network));
    await until(
      'n2 says both',
      () => lab.now.annotations('n2'),
      (now) => now['sheath.dev/sending'] !== undefined,
    );
    await lab.now.becomes('n2', 'partial');
    await until(
      'n2 sends encrypted only',
      () => lab.now.annotations('n2'),
      (now) => now['sheath.dev/sending'] === '1',
    );
    await lab.now.start('n3', new FakeKernel(lab.now.network));
    await lab.now.becomes('n2', 'encrypted');
    const writes = lab.now.requests.filter(({ method, path }) => method === 'PATCH' && path.includes('/n2'));
    assert.ok(writes.length <= 2, `${writes.length} writes`);
  });

  it('takes everything back with encryption none: traffic first, then the key, the device last', async () => {
    const { n1, n2 } = await lab.now.mesh();
    await lab.now.stop('n1');
    n1.writes.length = 0;
    let routedAtWithdrawal: number | undefined;
    lab.now.onRequest = ({ method, path }) => {
      if (method === 'PATCH' && path.includes('/n1')) routedAtWithdrawal ??= n1.listed('route').length;
    };
    await lab.now.start('n1', n1, { encryption: 'none' });
    await until(
      'the kernel is empty',
      async () => [...n1.items],
      (items) => items.length === 0,
    );
    const order = [...new Set(n1.writes.map(({ part }) => part))];
    assert.ok(order.indexOf('route') < order.indexOf('device'));
    assert.equal(routedAtWithdrawal, 0);
    assert.deepEqual(await lab.now.annotations('n1'), {});
    assert.equal((await lab.now.status('n1')).state, 'plaintext');
    await until(
      'n2 sends to it in clear',
      async () => n2.listed('route'),
      (routes) => !routes.some((route) => route.includes('10.244.1.0')),
    );
  });

  it('a bad record costs its own node the tunnel, and nobody else', async () => {
    await lab.now.mesh();
    await createNode(lab.now.target, {
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
      () => lab.now.status('n1'),
      ({ refused }) => refused.some(({ node }) => node === 'evil'),
    );
    assert.deepEqual(
      now.peers.filter((peer) => peer.state === 'routed').map((peer) => peer.node),
      ['n2', 'n3'],
    );
  });

  it('decides who owns a contended prefix by what the API server vouches for', async () => {
    const { n1 } = await lab.now.mesh();
    const thief = await lab.now.annotations('n3');
    await createNode(lab.now.target, {
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
      () => lab.now.status('n1'),
      ({ refused }) => refused.some(({ node }) => node === 'a-thief'),
    );
    const [refusal] = now.refused;
    assert.equal(refusal?.inFavourOf, 'n2');
    assert.equal(now.peers.find((peer) => peer.node === 'n2')?.state, 'routed');
    assert.ok(n1.listed('peer').some((peer) => peer.startsWith('peer n2') && peer.includes('10.244.2.0/24')));
  });

  it('goes on with what it knows while nobody says who is right', async () => {
    await lab.now.mesh();
    const { 'sheath.dev/generations': theirs = '' } = await lab.now.annotations('n3');
    lab.now.server.inject({ kind: 'status', verb: 'get', resource: 'nodes' });
    await createNode(lab.now.target, {
      name: 'a-thief',
      podCIDRs: ['10.244.9.0/24'],
      addresses: ['192.0.2.9'],
      annotations: {
        'sheath.dev/generations': theirs.replace(/"publicKey":"[^"]+"/, `"publicKey":"${'A'.repeat(42)}I="`),
        'sheath.dev/endpoints': '192.0.2.9',
        'sheath.dev/prefixes': '10.244.2.0/24',
      },
    });
    await until(
      'the contention is told',
      () => lab.now.status('n1'),
      ({ refused }) => refused.some(({ code }) => code === 'PREFIX_CLAIMED'),
    );
  });
});

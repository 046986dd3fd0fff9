import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, send } from '../../../lab/api-client.ts';
import { MESH } from '../../../operator/config/resource.ts';
import { annotateNode, createNode } from '../../support/nodes.ts';
import { type Agents, until, useAgents } from '../agents.ts';
import { FakeKernel } from '../fake-kernel.ts';

const PODS = '/api/v1/namespaces/default/pods';

interface PodSpec {
  readonly node: string;
  readonly ips?: readonly string[];
  readonly hostNetwork?: boolean;
}

async function pod(lab: Agents, name: string, { node, ips = [], hostNetwork }: PodSpec): Promise<void> {
  const spec = {
    nodeName: node,
    containers: [{ name: 'c', image: 'i' }],
    ...(hostNetwork === undefined ? {} : { hostNetwork }),
  };
  const metadata = { name };
  await call(lab.target, {
    method: 'POST',
    path: PODS,
    body: { apiVersion: 'v1', kind: 'Pod', metadata, spec },
  });
  if (ips.length > 0) await status(lab, name, { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) });
}

async function status(lab: Agents, name: string, status: object): Promise<void> {
  await call(lab.target, {
    method: 'PATCH',
    path: `${PODS}/${name}/status`,
    body: { status },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
}

const gone = (lab: Agents, name: string) => send(lab.target, { method: 'DELETE', path: `${PODS}/${name}` });

async function apply(lab: Agents, spec: object): Promise<void> {
  await call(lab.target, {
    method: 'PATCH',
    path: `${MESH}?fieldManager=test&force=true`,
    body: { apiVersion: 'sheath.dev/v1alpha1', kind: 'EncryptionMesh', metadata: { name: 'default' }, spec },
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
}

async function start(lab: Agents): Promise<readonly [FakeKernel, FakeKernel]> {
  const kernels = [new FakeKernel(lab.network), new FakeKernel(lab.network)] as const;
  for (const [i, kernel] of kernels.entries()) await lab.start(`n${i + 1}`, kernel, { encryption: '' });
  return kernels;
}

const prefixes = async (lab: Agents, node: string) => (await lab.annotations(node))['sheath.dev/prefixes'];

const claims = (lab: Agents, node: string, expected: string | undefined) =>
  until(
    `${node} claims ${expected}`,
    () => prefixes(lab, node),
    (now) => now === expected,
  );

const routes = (kernel: FakeKernel) => kernel.listed('route').filter((route) => route.includes(' device '));

describe('prefixes from the pods of a node', function () {
  this.timeout(60_000);
  const lab = useAgents();

  it('are the addresses of its pods, but for those of the host’s network and those that have ended', async () => {
    const { now } = lab;
    await pod(now, 'a', { node: 'n1', ips: ['10.9.0.2', 'fd00::2'] });
    await pod(now, 'b', { node: 'n1', ips: ['10.9.0.3', 'fd00::3'] });
    await pod(now, 'host', { node: 'n1', ips: ['192.0.2.1'], hostNetwork: true });
    await pod(now, 'waiting', { node: 'n1' });
    await pod(now, 'other', { node: 'n2', ips: ['10.9.1.7'] });
    const [, n2] = await start(now);
    await apply(now, { encryption: 'wireguard', prefixes: { source: 'pods' } });
    await claims(now, 'n1', '10.9.0.2/31,fd00::2/127');
    await claims(now, 'n2', '10.9.1.7/32');
    await until(
      'routes to both',
      async () => routes(n2).join(),
      (all) => all.includes('10.9.0.2/31') && all.includes('fd00::2/127'),
    );
    await status(now, 'a', { phase: 'Succeeded' });
    await status(now, 'waiting', { podIP: '10.9.0.9', podIPs: [{ ip: '10.9.0.9' }] });
    await claims(now, 'n1', '10.9.0.3/32,10.9.0.9/32,fd00::3/128');
    await gone(now, 'b');
    await claims(now, 'n1', '10.9.0.9/32');
  });

  it('gather: ten pods at once are one write more', async () => {
    const { now } = lab;
    await start(now);
    await apply(now, { encryption: 'wireguard', prefixes: { source: 'pods' } });
    await claims(now, 'n1', '');
    await until(
      'nothing is sent in clear',
      () => now.annotations('n1'),
      (all) => all['sheath.dev/sending'] === '1',
    );
    await sleep(500);
    now.requests.length = 0;
    for (let i = 0; i < 10; i += 1) await pod(now, `p${i}`, { node: 'n1', ips: [`10.9.0.${i * 2}`] });
    await until(
      'all are claimed',
      () => prefixes(now, 'n1'),
      (text = '') => text.split(',').length === 10,
    );
    const writes = now.requests.filter(({ verb, path }) => verb === 'patch' && path.includes('/nodes/n1'));
    assert.equal(writes.length, 1);
  });

  it('follow an address that moves: never claimed twice', async () => {
    const { now } = lab;
    await start(now);
    await apply(now, { encryption: 'wireguard', prefixes: { source: 'pods' } });
    await pod(now, 'a', { node: 'n1', ips: ['10.9.0.5'] });
    await claims(now, 'n1', '10.9.0.5/32');
    await sleep(5_000);
    const both: string[] = [];
    const watching = setInterval(() => {
      void Promise.all([prefixes(now, 'n1'), prefixes(now, 'n2')]).then(([one, two]) => {
        if (one !== '' && two !== '') both.push(`${one} and ${two}`);
      });
    }, 20);
    try {
      await gone(now, 'a');
      await pod(now, 'b', { node: 'n2', ips: ['10.9.0.5'] });
      await claims(now, 'n2', '10.9.0.5/32');
      assert.equal(await prefixes(now, 'n1'), '');
    } finally {
      clearInterval(watching);
    }
    assert.deepEqual(both, []);
  });

  it('stay over a restart without the API server', async () => {
    const { now } = lab;
    const [n1] = await start(now);
    await pod(now, 'a', { node: 'n1', ips: ['10.9.0.5'] });
    await pod(now, 'b', { node: 'n2', ips: ['10.9.0.6'] });
    await apply(now, { encryption: 'wireguard', prefixes: { source: 'pods' } });
    await claims(now, 'n1', '10.9.0.5/32');
    await until(
      'a route',
      async () => routes(n1).join(),
      (all) => all.includes('10.9.0.6/32'),
    );
    await now.stop('n1');
    await now.server.close();
    n1.writes.length = 0;
    await now.start('n1', n1, { encryption: '' });
    await until(
      'it works from its disk',
      () => now.status('n1'),
      ({ state }) => state !== 'starting',
    );
    assert.deepEqual(n1.writes, []);
    await now.server.listen();
    await sleep(2_000);
    assert.equal(await prefixes(now, 'n1'), '10.9.0.5/32');
    assert.deepEqual(n1.writes, []);
  });

  it('say what forbids them to be read', async () => {
    const { now } = lab;
    now.server.inject({ kind: 'status', status: 403, resource: 'pods' });
    await start(now);
    await apply(now, { encryption: 'wireguard', prefixes: { source: 'pods' } });
    const { problems } = await until(
      'n1 says so',
      () => now.status('n1'),
      (all) => all.problems.some(({ code }) => code === 'FORBIDDEN'),
    );
    assert.match(problems[0]?.message ?? '', /grant this agent list and watch on pods/);
    await apply(now, { encryption: 'wireguard' });
    await until(
      'it is over',
      () => now.status('n1'),
      (all) => all.problems.length === 0,
    );
    await claims(now, 'n1', '10.244.1.0/24');
  });
});

describe('prefixes from annotations', function () {
  this.timeout(60_000);
  const lab = useAgents();

  it('are what somebody else writes, which the agent reads and leaves alone', async () => {
    const { now } = lab;
    await annotateNode(now.target, 'n1', { 'sheath.dev/prefixes': '10.77.1.0/24,fd77:1::/64' });
    const [n1, n2] = await start(now);
    await apply(now, { encryption: 'wireguard', prefixes: { source: 'annotations' } });
    await until(
      'a route',
      async () => routes(n2).join(),
      (all) => all.includes('10.77.1.0/24') && all.includes('fd77:1::/64'),
    );
    const missing = await until(
      'n2 has none',
      () => now.status('n2'),
      (all) => all.problems.length > 0,
    );
    assert.match(missing.problems[0]?.message ?? '', /Node n2 has no annotation sheath\.dev\/prefixes/);
    await annotateNode(now.target, 'n1', { 'sheath.dev/prefixes': '10.78.0.0/16' });
    await until(
      'another route',
      async () => routes(n2).join(),
      (all) => all.includes('10.78.0.0/16'),
    );
    await until(
      'its own',
      async () => n1.listed('route').join(),
      (all) => all.includes('10.78.0.0/16 throw'),
    );
    await sleep(1_500);
    assert.equal(await prefixes(now, 'n1'), '10.78.0.0/16');
    await apply(now, { encryption: 'none', prefixes: { source: 'annotations' } });
    await now.becomes('n1', 'plaintext');
    await until(
      'the keys go',
      () => now.annotations('n1'),
      (all) => all['sheath.dev/generations'] === undefined,
    );
    assert.equal(await prefixes(now, 'n1'), '10.78.0.0/16');
  });
});

describe('an address whose old node is dead', function () {
  this.timeout(60_000);
  const lab = useAgents();

  it('is the new node’s, for that is where its pod is; the dead node’s claim takes nothing', async () => {
    const { now } = lab;
    // As a node leaves it that died: its record, and no pod there any more. It is the older one.
    await annotateNode(now.target, 'n3', {
      'sheath.dev/generations': JSON.stringify([
        { generation: 1, driver: 'wireguard', publicKey: `${'A'.repeat(42)}E=`, port: 51831 },
      ]),
      'sheath.dev/endpoints': '192.0.2.3',
      'sheath.dev/prefixes': '10.9.0.4/30',
      'sheath.dev/sending': '1',
    });
    await sleep(1_100);
    await createNode(now.target, { name: 'n4', podCIDRs: [], addresses: ['192.0.2.4'] });
    await pod(now, 'moved', { node: 'n4', ips: ['10.9.0.5'] });
    const kernels = [new FakeKernel(now.network), new FakeKernel(now.network)] as const;
    await now.start('n1', kernels[0], { encryption: '' });
    await now.start('n4', kernels[1], { encryption: '' });
    await apply(now, { encryption: 'wireguard', prefixes: { source: 'pods' } });
    await until(
      'n4 waits, and claims it then',
      () => prefixes(now, 'n4'),
      (text) => text === '10.9.0.5/32',
    );
    await until(
      'n1 has its route to n4',
      async () => routes(kernels[0]).join(),
      (all) => all.includes('10.9.0.5/32'),
    );
    const { refused } = await now.status('n1');
    assert.deepEqual(
      refused
        .filter(({ code }) => code === 'PREFIX_CLAIMED')
        .map(({ node, inFavourOf }) => [node, inFavourOf]),
      [['n3', 'n4']],
    );
  });
});

import assert from 'node:assert/strict';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../../../lab/api/server.ts';
import { call } from '../../../lab/api-client.ts';
import { MESH } from '../../../operator/config/resource.ts';
import type { AgentStatus } from '../../../operator/status.ts';
import { type Agents, until, useAgents } from '../agents.ts';
import { FakeKernel } from '../fake-kernel.ts';

type Spec = Readonly<Record<string, unknown>>;

async function apply(lab: Agents, spec: Spec): Promise<void> {
  const object = {
    apiVersion: 'sheath.dev/v1alpha1',
    kind: 'EncryptionMesh',
    metadata: { name: 'default' },
    spec,
  };
  await call(lab.target, {
    method: 'PATCH',
    path: `${MESH}?fieldManager=test&force=true`,
    body: object,
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
}

const remove = (lab: Agents) => call(lab.target, { method: 'DELETE', path: MESH });

/** Agents that nobody told anything, on all three nodes. */
async function untold(lab: Agents): Promise<readonly FakeKernel[]> {
  const kernels = ['n1', 'n2', 'n3'].map(() => new FakeKernel(lab.network));
  for (const [i, kernel] of kernels.entries()) await lab.start(`n${i + 1}`, kernel, { encryption: '' });
  return kernels;
}

function status(lab: Agents, name: string, good: (now: AgentStatus) => boolean): Promise<AgentStatus> {
  return until(`${name} is so`, () => lab.status(name), good);
}

const problems = ({ problems }: AgentStatus) => problems.map(({ code }) => code);

async function label(
  lab: Agents,
  node: string,
  labels: Readonly<Record<string, string | null>>,
): Promise<void> {
  await call(lab.target, {
    method: 'PATCH',
    path: `/api/v1/nodes/${node}`,
    body: { metadata: { labels } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
}

describe('agents follow the EncryptionMesh', () => {
  const lab = useAgents();

  it('on and off, and a new setting, without a restart', async () => {
    const { now } = lab;
    const [kernel] = await untold(now);
    await status(now, 'n1', ({ state, resource }) => state === 'plaintext' && resource?.state === 'absent');
    assert.deepEqual(kernel?.writes, []);
    await apply(now, { encryption: 'wireguard' });
    for (const name of ['n1', 'n2', 'n3']) await now.becomes(name, 'encrypted');
    await apply(now, { encryption: 'wireguard', routing: { table: 77 } });
    await status(now, 'n1', ({ resource }) => resource?.observedGeneration === 2);
    await until(
      'the table moved',
      async () => kernel?.listed('route') ?? [],
      (routes) => routes.every((route) => !route.endsWith('51830')),
    );
    const { config } = await now.status('n1');
    assert.deepEqual(config['routing.table'], {
      value: 77,
      source: 'resource',
      name: 'encryptionmesh/default, generation 2',
    });
    await apply(now, { encryption: 'none' });
    for (const name of ['n1', 'n2', 'n3']) await now.becomes(name, 'plaintext');
  });

  it('changes nothing when it is spoilt or gone, says so, and goes on when it is well again', async () => {
    const { now } = lab;
    const kernels = await untold(now);
    await apply(now, { encryption: 'wireguard', wireguard: { port: 6000 } });
    for (const name of ['n1', 'n2', 'n3']) await now.becomes(name, 'encrypted');
    await sleep(300);
    for (const kernel of kernels) kernel.writes.length = 0;
    await apply(now, { encryption: 'wireguard', wireguard: { port: 70000 } });
    const spoilt = await status(now, 'n1', (each) => problems(each).includes('CONFIG_INVALID'));
    assert.equal(spoilt.resource?.state, 'refused');
    assert.equal(spoilt.resource?.observedGeneration, 1);
    await until(
      'its Node says so too',
      () => now.annotations('n1'),
      (all) =>
        all['sheath.dev/agent']?.includes('config: the resource is not followed: spec.wireguard.port') ===
        true,
    );
    await remove(now);
    const gone = await status(now, 'n1', (each) => problems(each).includes('RESOURCE_GONE'));
    assert.equal(gone.state, 'encrypted');
    assert.deepEqual(
      kernels.map((kernel) => kernel.writes),
      [[], [], []],
    );
    await apply(now, { encryption: 'wireguard', wireguard: { port: 6000 } });
    await status(now, 'n1', (each) => problems(each).length === 0);
    assert.deepEqual(
      kernels.map((kernel) => kernel.writes),
      [[], [], []],
    );
  });

  it('from the disk when the API server is away at boot', async () => {
    const { now } = lab;
    const [, , n3 = new FakeKernel(now.network)] = await untold(now);
    await apply(now, { encryption: 'wireguard', wireguard: { port: 6000 } });
    for (const name of ['n1', 'n2', 'n3']) await now.becomes(name, 'encrypted');
    const path = join(now.folder, 'n3', 'state', 'resource.json');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const kept = JSON.parse(await readFile(path, 'utf8')) as { spec: unknown };
    assert.deepEqual(kept.spec, { encryption: 'wireguard', wireguard: { port: 6000 } });
    await sleep(200);
    await now.stop('n3');
    await now.server.close();
    n3.reboot();
    await now.start('n3', n3, { encryption: '' });
    const booted = await now.becomes('n3', 'encrypted');
    assert.deepEqual([booted.resource?.state, booted.resource?.observedGeneration], ['unknown', 1]);
    assert.deepEqual(n3.listed('device'), ['device sheath1 generation 1 port 6001']);
    await now.server.listen();
    await status(now, 'n3', ({ resource }) => resource?.state === 'followed');
  });

  it('keeps its hands off the kernel while nobody told it what to do: tunnels that are there stay', async () => {
    const { now } = lab;
    const [n1 = new FakeKernel(now.network)] = await untold(now);
    await apply(now, { encryption: 'wireguard' });
    for (const name of ['n1', 'n2', 'n3']) await now.becomes(name, 'encrypted');
    await sleep(200);
    await now.stop('n1');
    await writeFile(join(now.folder, 'n1', 'state', 'resource.json'), '{"half');
    await now.server.close();
    n1.writes.length = 0;
    await now.start('n1', n1, { encryption: '' });
    await sleep(4_000);
    assert.equal((await now.status('n1')).state, 'starting');
    assert.deepEqual(n1.writes, []);
    await now.server.listen();
    await now.becomes('n1', 'encrypted');
    assert.deepEqual(n1.writes, []);
  });

  it('takes a kind that the API server does not know for no error', async () => {
    const { now } = lab;
    await now.server.close();
    const server = new ApiServer({ encryptionMeshes: false });
    const port = Number(now.target.url.port);
    await server.listen('127.0.0.1', port);
    try {
      const kernel = new FakeKernel(now.network);
      for (const name of ['n1'])
        await call(now.target, {
          method: 'POST',
          path: '/api/v1/nodes',
          body: { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { podCIDRs: ['10.244.1.0/24'] } },
        });
      await now.start('n1', kernel, { encryption: '' });
      const { problems: wrong, resource } = await now.becomes('n1', 'plaintext');
      assert.equal(resource?.state, 'absent');
      assert.deepEqual(
        wrong.map(({ code }) => code).filter((code) => code !== 'ENDPOINT_MISSING'),
        [],
      );
      await now.stop('n1');
    } finally {
      await server.close();
      await now.server.listen();
    }
  });

  it('says what forbids it to read the resource', async () => {
    const { now } = lab;
    now.server.inject({ kind: 'status', status: 403, resource: 'encryptionmeshes' });
    await now.start('n1', new FakeKernel(now.network), { encryption: '' });
    const { problems: wrong, state } = await status(now, 'n1', (each) =>
      problems(each).includes('FORBIDDEN'),
    );
    assert.equal(state, 'starting');
    assert.match(wrong[0]?.message ?? '', /grant this agent get, list and watch on encryptionmeshes/);
  });

  it('only where nodeSelector says so: it joins when its label comes, and leaves when it goes', async () => {
    const { now } = lab;
    await label(now, 'n1', { pool: 'blue' });
    await label(now, 'n2', { pool: 'blue' });
    await untold(now);
    await apply(now, { encryption: 'wireguard', nodeSelector: { matchLabels: { pool: 'blue' } } });
    await status(now, 'n1', ({ peers }) => peers.some(({ state }) => state === 'routed'));
    const left = await status(now, 'n3', ({ notSelected }) => notSelected !== undefined);
    assert.equal(left.state, 'plaintext');
    assert.match(left.notSelected ?? '', /not selected by nodeSelector .*"pool":"blue"/);
    assert.equal((await now.annotations('n3'))['sheath.dev/generations'], undefined);
    await label(now, 'n3', { pool: 'blue' });
    await now.becomes('n3', 'encrypted');
    await now.becomes('n1', 'encrypted');
    await label(now, 'n3', { pool: null });
    await now.becomes('n3', 'plaintext');
    assert.equal((await now.annotations('n3'))['sheath.dev/generations'], undefined);
    await apply(now, { encryption: 'wireguard' });
    await now.becomes('n3', 'encrypted');
  });

  it('writes the disk for another wish only, not for what the controller says', async () => {
    const { now } = lab;
    await now.start('n1', new FakeKernel(now.network), { encryption: '' });
    await apply(now, { encryption: 'wireguard' });
    await status(now, 'n1', ({ resource }) => resource?.observedGeneration === 1);
    const path = join(now.folder, 'n1', 'state', 'resource.json');
    const before = (await stat(path)).ino;
    await call(now.target, {
      method: 'PATCH',
      path: `${MESH}/status`,
      body: { status: { observedGeneration: 1 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await sleep(300);
    assert.equal((await stat(path)).ino, before);
    await chmod(path, 0o600);
    await apply(now, { encryption: 'wireguard', mtu: 1400 });
    await status(now, 'n1', ({ resource }) => resource?.observedGeneration === 2);
    assert.notEqual((await stat(path)).ino, before);
  });
});

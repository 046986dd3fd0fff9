import assert from 'node:assert/strict';
import { join } from 'node:path';
import { call, send } from '../../../lab/api-client.ts';
import { type EncryptionMesh, FINALIZER, MESH, MESHES } from '../../../operator/config/resource.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import { runController } from '../../../operator/controller/run.ts';
import { type Agents, until, useAgents } from '../agents.ts';
import { FakeKernel } from '../fake-kernel.ts';
import { HASTY } from './lab.ts';

const STRICT: Spec = { encryption: 'wireguard', mode: 'strict', clusterPrefixes: ['10.244.0.0/16'] };
const NAMES = ['n1', 'n2', 'n3'];

describe('agents and their controller', function () {
  this.timeout(60_000);
  const lab = useAgents();
  let ending: AbortController;
  let running: Promise<void> | undefined;

  beforeEach(async () => {
    ending = new AbortController();
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sheath-system' } };
    await call(lab.now.target, { method: 'POST', path: '/api/v1/namespaces', body: namespace });
    for (const name of NAMES) await lab.now.start(name, new FakeKernel(lab.now.network), { encryption: '' });
  });
  afterEach(async () => {
    ending.abort();
    await running;
    running = undefined;
  });

  const startController = () => {
    const options = { identity: 'test', namespace: 'sheath-system', logLevel: 'silent', version: '9.9.9' };
    const kubeconfig = join(lab.now.folder, 'kubeconfig');
    running = runController({ ...options, kubeconfig, environment: {}, leaseTimes: HASTY }, ending.signal);
  };
  const mesh = async (agents: Agents): Promise<EncryptionMesh | undefined> => {
    const answer = await send(agents.target, { path: MESH });
    return answer.status === 404 ? undefined : (JSON.parse(answer.bytes.toString()) as EncryptionMesh);
  };
  const becomes = (what: string, good: (seen: EncryptionMesh | undefined) => boolean) =>
    until(what, () => mesh(lab.now), good);
  const create = (spec: Spec) => {
    const metadata = { name: 'default', finalizers: [FINALIZER] };
    const body = { apiVersion: 'sheath.dev/v1alpha1', kind: 'EncryptionMesh', metadata, spec };
    return call(lab.now.target, { method: 'POST', path: MESHES, body });
  };
  const remove = () => call(lab.now.target, { method: 'DELETE', path: MESH });
  const ready = (seen: EncryptionMesh | undefined) =>
    seen?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

  it('agree on what is encrypted, with the doors shut; deleted, the resource goes when every door is open', async () => {
    startController();
    await create(STRICT);
    const encrypted = await becomes('ready', (seen) => ready(seen) && seen?.status?.nodes?.summary === '3/3');
    assert.equal(encrypted?.status?.generation, 1);
    for (const name of NAMES)
      assert.match((await lab.now.annotations(name))['sheath.dev/agent'] ?? '', /"mode":"strict"/);
    await remove();
    await becomes('gone', (seen) => seen === undefined);
    for (const name of NAMES) {
      const said = await lab.now.annotations(name);
      assert.equal(said['sheath.dev/generations'], undefined);
      assert.doesNotMatch(said['sheath.dev/agent'] ?? '', /strict/);
    }
  });

  it('do without it: all is encrypted, and all doors open again, while no controller runs', async () => {
    await create(STRICT);
    for (const name of NAMES) await lab.now.becomes(name, 'encrypted');
    assert.equal((await mesh(lab.now))?.status, undefined);
    await remove();
    for (const name of NAMES)
      await until(
        `${name} is off`,
        () => lab.now.annotations(name),
        (said) =>
          said['sheath.dev/generations'] === undefined && !said['sheath.dev/agent']?.includes('strict'),
      );
    assert.ok(await mesh(lab.now), 'its finalizer waits for a controller');
    startController();
    await becomes('gone', (seen) => seen === undefined);
  });
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call } from '../../lab/api-client.ts';
import { getNode } from '../../lab/node-objects.ts';
import { run } from '../../lab/processes.ts';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { FINALIZER } from '../../operator/config/resource.ts';
import { POLICIES } from '../../operator/manifests/names.ts';
import { envtestFolder } from '../support/kube-apiserver.ts';
import { AGENT, APPLY, MESH_PATH, patch, useCluster } from './cluster.ts';
import { type NodeName, RealAgents } from './real-agents.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const BOTH: readonly NodeName[] = ['n1', 'n2'];

describe('kubectl delete -f in strict mode, with real agents', function () {
  this.timeout(180_000);
  const cluster = useCluster();
  let agents: RealAgents;

  const kubectl = async (...argv: string[]): Promise<string> => {
    const program = join(await envtestFolder(), 'kubectl');
    return run([program, '--kubeconfig', cluster.current.api.kubeconfigPath, ...argv]);
  };
  const published = async (name: NodeName): Promise<Readonly<Record<string, string>>> =>
    (await getNode(cluster.current.admin, name)).metadata.annotations ?? {};
  const isShut = async (name: NodeName): Promise<boolean> => {
    const { [ANNOTATIONS.agent]: agent = '', [ANNOTATIONS.sending]: sending } = await published(name);
    return sending === '1' && agent.includes('"mode":"strict"');
  };

  before(async () => {
    const { current } = cluster;
    await current.install();
    // The third has no machine here.
    await call(current.admin, { method: 'DELETE', path: '/api/v1/nodes/n3' });
    await call(current.admin, {
      method: 'PATCH',
      path: `${MESH_PATH}?fieldManager=test`,
      headers: APPLY,
      body: {
        apiVersion: 'sheath.dev/v1alpha1',
        kind: 'EncryptionMesh',
        metadata: { name: 'default', finalizers: [FINALIZER] },
        spec: {
          encryption: 'wireguard',
          mode: 'strict',
          clusterPrefixes: ['10.244.0.0/16', 'fd00:10:244::/48'],
        },
      },
    });
    agents = await RealAgents.open(current);
  });
  after(() => agents?.close());
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      for (const name of BOTH) console.error(`${name}:\n${(await agents.log(name)).slice(-3000)}`);
  });

  it('begins with two nodes that are shut', async () => {
    for (const name of BOTH) await agents.start(name);
    for (const name of BOTH) {
      await cluster.current.until(() => isShut(name), 90);
      assert.match((await agents.left(name)).join(), /sheath/);
      // All that an agent asks for is granted to it, and nothing that it writes is held back.
      assert.doesNotMatch(await agents.log(name), /forbidden/i);
    }
  });

  it('leaves a door shut when its agent ends and nothing is being deleted', async () => {
    assert.ok((await agents.terminate('n1')) < 15_000);
    assert.match((await agents.left('n1')).join(), /table inet sheath/);
    await agents.start('n1');
    await cluster.current.until(() => agents.follows('n1'), 90);
  });

  it('leaves no node shut, though the agents are ended at once and have no rights any more', async () => {
    // As where the API server knows no policies: nothing holds their accounts and rights back.
    await kubectl('delete', 'validatingadmissionpolicybinding', POLICIES.keep);
    await cluster.current.until(() =>
      kubectl('delete', 'clusterrole', AGENT, '--dry-run=server').then(
        () => true,
        () => false,
      ),
    );
    await kubectl('delete', '-f', DEPLOY, '--wait=false', '--ignore-not-found');
    const took = await Promise.all(BOTH.map((name) => agents.terminate(name)));
    assert.ok(Math.max(...took) < 60_000, `${took.join(' and ')} ms`);
    for (const name of BOTH) {
      assert.deepEqual(await agents.left(name), [], name);
      assert.match(await agents.log(name), /left nothing behind/);
    }
    for (const name of BOTH)
      assert.match((await published(name))[ANNOTATIONS.generations] ?? '', /publicKey/, 'could not say so');
  });

  it('lets the resource go when its finalizer is taken off', async () => {
    await patch(cluster.current.admin, MESH_PATH, { metadata: { finalizers: null } });
    await kubectl('wait', '--for=delete', 'crd/encryptionmeshes.sheath.dev', '--timeout=30s');
  });
});

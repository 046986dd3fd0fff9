import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call } from '../../lab/api-client.ts';
import { getNode } from '../../lab/node-objects.ts';
import { CommandError, end, run, spawnLogged } from '../../lab/processes.ts';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { CONTROLLER } from '../../operator/manifests/names.ts';
import { sheath } from '../cli/run.ts';
import { envtestFolder } from '../support/kube-apiserver.ts';
import { useCluster } from './cluster.ts';
import { type NodeName, RealAgents } from './real-agents.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const CLI = fileURLToPath(new URL('../../cli/sheath.ts', import.meta.url));
const BOTH: readonly NodeName[] = ['n1', 'n2'];

describe('kubectl delete -f in strict mode, with real agents and a real controller, each with its token', function () {
  this.timeout(180_000);
  const cluster = useCluster();
  let agents: RealAgents;
  let controller: ReturnType<typeof spawnLogged>;

  const kubectl = async (...argv: string[]): Promise<string> => {
    const program = join(await envtestFolder(), 'kubectl');
    return run([program, '--kubeconfig', cluster.current.api.kubeconfigPath, ...argv]);
  };

  before(async () => {
    const { current } = cluster;
    await kubectl('apply', '-f', DEPLOY);
    // The third has no machine here.
    await call(current.admin, { method: 'DELETE', path: '/api/v1/nodes/n3' });
    agents = await RealAgents.open(current);
    const kubeconfig = await current.api.kubeconfigOf(await current.tokenOf(CONTROLLER, 'n1'));
    const argv = [process.execPath, '--conditions=source', CLI, 'controller', '--kubeconfig', kubeconfig];
    controller = spawnLogged([...argv, '--http', 'none'], join(current.api.folder, 'controller.log'));
    for (const name of BOTH) await agents.start(name);
  });
  after(async () => {
    if (controller !== undefined) await end(controller);
    await agents?.close();
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const name of BOTH) console.error(`${name}:\n${(await agents.log(name)).slice(-3000)}`);
    console.error(await run(['tail', '-c', '3000', join(cluster.current.api.folder, 'controller.log')]));
  });

  it('is enabled with the doors shut', async () => {
    const { kubeconfigPath } = cluster.current.api;
    const known = async (name: NodeName) =>
      (await getNode(cluster.current.admin, name)).metadata.annotations?.[ANNOTATIONS.agent] !== undefined;
    for (const name of BOTH) await cluster.current.until(() => known(name), 60);
    const ranges = '10.244.0.0/16,fd00:10:244::/48';
    const argv = ['enable', '--strict', '--cluster-prefixes', ranges, '--wait', '--yes', '--timeout', '90s'];
    const { code, err } = await sheath([...argv, '--kubeconfig', kubeconfigPath]);
    assert.equal(code, 0, err);
    for (const name of BOTH) assert.match((await agents.left(name)).join(), /table inet sheath/);
    assert.match(await kubectl('get', 'encryptionmesh'), /2\/2/);
  });

  it('keeps all that nodes need, and switches encryption off, in the first run', async () => {
    const refused = await kubectl('delete', '-f', DEPLOY).then(
      (out) => assert.fail(out),
      (error: unknown) => error,
    );
    assert.ok(refused instanceof CommandError);
    assert.match(refused.stderr, /daemonsets\.apps "sheath-agent" is forbidden/);
    await kubectl('wait', '--for=delete', 'crd/encryptionmeshes.sheath.dev', '--timeout=120s');
    // The controller let go of it when every node was off.
    for (const name of BOTH) await cluster.current.until(async () => (await agents.left(name)).length === 0);
    await kubectl('get', 'clusterrole', 'sheath-agent');
    assert.doesNotMatch(await run(['cat', join(cluster.current.api.folder, 'controller.log')]), /forbidden/i);
  });

  it('deletes the rest in the second run', async () => {
    await kubectl('delete', '-f', DEPLOY, '--ignore-not-found', '--wait=false');
    const rights = await kubectl('get', 'clusterrole,clusterrolebinding', '-o', 'name');
    assert.doesNotMatch(rights, /sheath-/);
    for (const name of BOTH) {
      assert.ok((await agents.terminate(name)) < 20_000);
      assert.deepEqual(await agents.left(name), [], name);
    }
  });
});

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError, run } from '../../lab/processes.ts';
import { sheath } from '../cli/run.ts';
import { envtestFolder, type KubeApiserver, startKubeApiserver } from '../support/kube-apiserver.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const FINALIZER = 'sheath.dev/disable-first';

describe('the manifests on a real API server', function () {
  this.timeout(120_000);
  let api: KubeApiserver;
  let kubectl: (...argv: string[]) => Promise<string>;

  before(async () => {
    api = await startKubeApiserver();
    const program = join(await envtestFolder(), 'kubectl');
    kubectl = (...argv) => run([program, '--kubeconfig', api.kubeconfigPath, ...argv]);
  });
  after(() => api?.stop());

  const failing = (promise: Promise<string>): Promise<CommandError> =>
    promise.then(
      (out) => assert.fail(`kubectl did not fail: ${out}`),
      (error: unknown) => {
        assert.ok(error instanceof CommandError);
        return error;
      },
    );

  it('are taken by kubectl apply, the first time, and again', async () => {
    const first = await kubectl('apply', '-f', DEPLOY);
    assert.match(first, /daemonset\.apps\/sheath-agent created/);
    assert.match(first, /validatingadmissionpolicy\S*\/sheath-nodes created/);
    const again = await kubectl('apply', '-f', DEPLOY);
    assert.doesNotMatch(again, / created$/m);
  });

  it('are taken by kustomize and by server-side apply', async () => {
    assert.doesNotMatch(await kubectl('apply', '-k', DEPLOY), / created$/m);
    await kubectl('apply', '--server-side', '--force-conflicts', '--field-manager', 'ci', '-f', DEPLOY);
  });

  it('are taken from the standard output of sheath manifests, with the resource, and leave alone what was changed since', async () => {
    const flags = ['--strict', '--cluster-prefixes', '10.244.0.0/16', '--cronjob', '@monthly'];
    const file = join(api.folder, 'manifests.yaml');
    await writeFile(file, (await sheath(['manifests', ...flags])).out);
    assert.match(await kubectl('apply', '-f', file), /encryptionmesh\.sheath\.dev\/default created/);
    await kubectl(
      'patch',
      'encryptionmesh',
      'default',
      '--type=merge',
      '-p',
      '{"spec":{"encryption":"wireguard","generation":7}}',
    );
    await kubectl('apply', '-f', file);
    const spec = await kubectl(
      'get',
      'encryptionmesh',
      'default',
      '-o',
      'jsonpath={.spec.encryption} {.spec.generation} {.spec.mode}',
    );
    assert.equal(spec, 'wireguard 7 strict');
  });

  it('have no pods that the API server would refuse', async () => {
    for (const kind of ['daemonset/sheath-agent', 'deployment/sheath-controller', 'cronjob/sheath-rotate'])
      assert.ok(await kubectl('-n', 'sheath-system', 'get', kind, '-o', 'name'));
    const admitted = await kubectl(
      'get',
      'flowschema',
      'sheath',
      '-o',
      'jsonpath={.status.conditions[?(@.type=="Dangling")].status}',
    );
    assert.equal(admitted, 'False');
  });

  it('are kept by kubectl delete while nodes are encrypted, all but the kind: that switches encryption off', async () => {
    const patch = JSON.stringify({ metadata: { finalizers: [FINALIZER] } });
    await kubectl('patch', 'encryptionmesh', 'default', '--type=merge', '-p', patch);
    await untilKept();
    const refused = await failing(kubectl('delete', '-f', DEPLOY, '--wait=false'));
    assert.match(refused.stderr, /daemonsets\.apps "sheath-agent" is forbidden/);
    assert.match(refused.stderr, /being switched off, and needs this until then/);
    for (const kept of [
      'namespace/sheath-system',
      'clusterrole/sheath-agent',
      'clusterrolebinding/sheath-agent',
      'clusterrole/sheath-controller',
      'clusterrolebinding/sheath-controller',
    ])
      await kubectl('get', kept);
    for (const kept of [
      'serviceaccount/sheath-agent',
      'serviceaccount/sheath-controller',
      'daemonset/sheath-agent',
      'deployment/sheath-controller',
      'role/sheath-controller',
      'rolebinding/sheath-controller',
    ])
      await kubectl('-n', 'sheath-system', 'get', kept);
    assert.match(
      await kubectl('get', 'encryptionmesh', 'default', '-o', 'jsonpath={.metadata.deletionTimestamp}'),
      /^20/,
    );
  });

  it('go with the same command when the last node is open', async () => {
    await kubectl(
      'patch',
      'encryptionmesh',
      'default',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":[]}}',
    );
    // Nobody here empties a namespace that goes.
    await kubectl('delete', '-f', DEPLOY, '--ignore-not-found', '--wait=false');
    for (const gone of [
      'crd/encryptionmeshes.sheath.dev',
      'clusterrole/sheath-agent',
      'validatingadmissionpolicy/sheath-keep',
    ])
      await kubectl('wait', '--for=delete', gone, '--timeout=60s');
    assert.match((await failing(kubectl('get', 'encryptionmesh'))).stderr, /resource/);
  });

  /** The policy is in force about a second after it was written. */
  async function untilKept(): Promise<void> {
    for (let tries = 0; tries < 60; tries++) {
      const { stderr } = await failing(
        kubectl('delete', 'clusterrole', 'sheath-agent', '--dry-run=server'),
      ).catch(() => ({ stderr: '' }));
      if (stderr.includes('sheath-keep')) return;
    }
    assert.fail('sheath-keep is not in force');
  }
});

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type ApiTarget, apiTarget, call } from '../../../lab/api-client.ts';
import type { Clock } from '../../../operator/clock.ts';
import { encryptionMeshCRD } from '../../../operator/config/crd.ts';
import { MESH, MESHES } from '../../../operator/config/resource.ts';
import { openCluster } from '../../../operator/kube/open.ts';
import { ResourceFollower } from '../../../operator/resource/follow.ts';
import { LayeredConfig } from '../../../operator/resource/live.ts';
import { type KubeApiserver, startKubeApiserver } from '../../support/kube-apiserver.ts';
import { until } from '../agents.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const FACTS = { version: '9', cannot: [] };

/** What waits on purpose waits a hundredth of it. */
const hasty: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms / 100);
    return () => clearTimeout(timer);
  },
};

describe('the resource at the real API server', function () {
  this.timeout(120_000);
  let server: KubeApiserver;
  let target: ApiTarget;
  let folder: string;
  const ending = new AbortController();
  let done: Promise<void> = Promise.resolve();
  let config: LayeredConfig;
  const problems: string[] = [];

  before(async () => {
    server = await startKubeApiserver();
    target = await apiTarget(server.kubeconfigPath);
    folder = await mkdtemp(join(tmpdir(), 'sheath-resource-'));
    const access = { kubeconfig: server.kubeconfigPath, environment: {} };
    const { client } = await openCluster(access, 'sheath-test');
    config = new LayeredConfig({ layers: [], facts: () => FACTS, labels: () => ({}) });
    const follower = new ResourceFollower({
      config,
      client,
      stateDir: folder,
      kept: undefined,
      clock: hasty,
      random: Math.random,
      log: pino({ level: 'silent' }),
      onChange: () => {},
      onProblems: (found) => {
        problems.splice(0, problems.length, ...found.map(({ code }) => code));
      },
    });
    done = follower.run(ending.signal).finally(() => client.close());
  });

  after(async () => {
    ending.abort();
    await done;
    await server.stop();
    await rm(folder, { recursive: true });
  });

  const becomes = (state: string) =>
    until(
      state,
      async () => config.status,
      (status) => status.state === state,
    );

  /** As soon as its kind is served. */
  const makeMesh = (generation: number) =>
    until(
      'the kind is served',
      () =>
        call(target, {
          method: 'POST',
          path: MESHES,
          body: {
            apiVersion: 'sheath.dev/v1alpha1',
            kind: 'EncryptionMesh',
            metadata: { name: 'default' },
            spec: { encryption: 'wireguard', generation },
          },
        }),
      () => true,
    );

  it('is absent while the server does not know its kind', async () => {
    await becomes('absent');
    assert.deepEqual([problems, config.live().basis], [[], 'api']);
  });

  it('is followed soon after the kind is there', async () => {
    await call(target, { method: 'POST', path: CRDS, body: encryptionMeshCRD() });
    await makeMesh(3);
    await becomes('followed');
    const { config: resolved, facts } = config.live();
    assert.deepEqual([resolved.mesh.generation, facts.observedGeneration], [3, 1]);
  });

  it('tells of a new wish, and of nothing that is none', async () => {
    const merge = (path: string, body: object) =>
      call(target, {
        method: 'PATCH',
        path,
        body,
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await merge(`${MESH}/status`, { status: { observedGeneration: 1 } });
    await merge(MESH, { spec: { generation: 4 } });
    await until(
      'the new wish',
      async () => config.live().config.mesh.generation,
      (generation) => generation === 4,
    );
    assert.equal(config.live().facts.observedGeneration, 2);
  });

  it('stays in force when the kind is taken away, and is followed when both are back', async () => {
    await call(target, { method: 'DELETE', path: `${CRDS}/encryptionmeshes.sheath.dev` });
    await becomes('gone');
    assert.deepEqual(problems, ['RESOURCE_GONE']);
    assert.equal(config.live().config.mesh.encryption, 'wireguard');
    await until(
      'the kind may be made again',
      () => call(target, { method: 'POST', path: CRDS, body: encryptionMeshCRD() }),
      () => true,
    );
    await makeMesh(1);
    await becomes('followed');
    assert.deepEqual(problems, []);
  });
});

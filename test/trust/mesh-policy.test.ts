import assert from 'node:assert/strict';
import { call, send } from '../../lab/api-client.ts';
import { CONTROLLER, ROTATE } from '../../operator/manifests/names.ts';
import { DEFAULT_OPTIONS } from '../../operator/manifests/options.ts';
import { cronJob } from '../../operator/manifests/rotate.ts';
import { sheath } from '../cli/run.ts';
import { AGENT, APPLY, type ApiTarget, MESH_PATH, messageOf, patch, useCluster } from './cluster.ts';

const FINALIZER = 'sheath.dev/disable-first';

describe('who may write what of the EncryptionMesh, as a real API server sees it', function () {
  this.timeout(60_000);
  const cluster = useCluster();
  let controller: ApiTarget;
  let rotate: ApiTarget;

  const generation = async (): Promise<unknown> => {
    const mesh = await call(cluster.current.admin, { path: MESH_PATH });
    return (mesh as { spec: { generation?: number } }).spec.generation;
  };

  before(async () => {
    const { current } = cluster;
    await current.install({
      encryption: 'wireguard',
      mode: 'strict',
      clusterPrefixes: ['10.244.0.0/16'],
      cronjob: '@monthly',
    });
    controller = current.as(await current.tokenOf(CONTROLLER, 'n1'));
    rotate = current.as(await current.tokenOf(ROTATE, 'n2'));
    await current.untilGuarded((text) =>
      patch(controller, MESH_PATH, { spec: { mtu: 1300 + Number(text) } }),
    );
  });

  it('lets the controller begin a rotation, one after the other', async () => {
    for (const next of [2, 3, 4]) {
      const answer = await patch(controller, MESH_PATH, { spec: { generation: next } });
      assert.equal(answer.status, 200, messageOf(answer));
    }
    assert.equal((await patch(rotate, MESH_PATH, { spec: { generation: 5 } })).status, 200);
  });

  it('lets the job rotate with the command that its manifest names', async () => {
    const token = await cluster.current.tokenOf(ROTATE, 'n3');
    const kubeconfig = await cluster.current.api.kubeconfigOf(token);
    const job = cronJob(DEFAULT_OPTIONS, '@monthly').spec?.jobTemplate.spec?.template.spec?.containers[0];
    const { code, err } = await sheath([...(job?.args ?? []), '--kubeconfig', kubeconfig]);
    assert.equal(code, 0, err);
    assert.equal(await generation(), 6);
  });

  it('lets it say how the mesh is, and hold the resource', async () => {
    const status = {
      status: { observedGeneration: 3, nodes: { total: 3, encrypted: 3, summary: '3/3', waiting: [] } },
    };
    const answer = await patch(controller, `${MESH_PATH}/status`, status);
    assert.equal(answer.status, 200, messageOf(answer));
    const held = await patch(controller, MESH_PATH, { metadata: { finalizers: [FINALIZER] } });
    assert.equal(held.status, 200, messageOf(held));
    const applied = await send(controller, {
      method: 'PATCH',
      path: `${MESH_PATH}/status?fieldManager=${CONTROLLER}&force=true`,
      body: {
        apiVersion: 'sheath.dev/v1alpha1',
        kind: 'EncryptionMesh',
        metadata: { name: 'default' },
        ...status,
      },
      headers: APPLY,
    });
    assert.equal(applied.status, 200, messageOf(applied));
  });

  it('lets the status open no door either', async () => {
    const body = { spec: { encryption: 'none' }, status: { observedGeneration: 4 } };
    assert.equal((await patch(controller, `${MESH_PATH}/status`, body)).status, 200);
    const { spec } = (await call(cluster.current.admin, { path: MESH_PATH })) as {
      spec: { encryption: string };
    };
    assert.equal(spec.encryption, 'wireguard');
  });

  const forbidden: readonly (readonly [string, object, RegExp])[] = [
    ['switch off', { spec: { encryption: 'none' } }, /not encryption/],
    ['switch off by leaving it out', { spec: { encryption: null } }, /not encryption/],
    ['open the doors', { spec: { mode: 'permissive' } }, /not mode/],
    ['open the doors beside a rotation', { spec: { mode: 'permissive', generation: 7 } }, /not mode/],
    ['leap over a generation', { spec: { generation: 8 } }, /by one/],
    ['lower the generation', { spec: { generation: 4 } }, /by one|lowered/],
    ['forget the generation', { spec: { generation: null } }, /by one|lowered/],
    ['exempt everybody', { spec: { exempt: ['0.0.0.0/0'] } }, /not exempt/],
    ['pass a Node over', { spec: { rotation: { passOver: ['n1'] } } }, /not rotation/],
    ['deselect the nodes', { spec: { nodeSelector: { matchLabels: { a: 'b' } } } }, /not nodeSelector/],
    ['shrink what is shut', { spec: { clusterPrefixes: ['10.244.7.0/24'] } }, /not clusterPrefixes/],
    ['let it go while nodes are encrypted', { metadata: { finalizers: [] } }, /finalizer/],
    ['hold it for somebody else', { metadata: { finalizers: ['example.org/mine'] } }, /finalizer/],
    ['label it', { metadata: { labels: { a: 'b' } } }, /metadata/],
    [
      'give it an owner',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u' }] } },
      /metadata/,
    ],
  ];
  for (const [what, body, expected] of forbidden) {
    it(`lets the controller not ${what}`, async () => {
      for (const target of [controller, rotate]) {
        const answer = await patch(target, MESH_PATH, body);
        assert.ok(answer.status === 403 || answer.status === 422, `HTTP ${answer.status}`);
        assert.match(messageOf(answer), expected);
      }
      assert.equal(await generation(), 6);
    });
  }

  it('lets the controller neither delete the resource nor make one', async () => {
    assert.equal((await send(controller, { method: 'DELETE', path: MESH_PATH })).status, 403);
    const body = {
      apiVersion: 'sheath.dev/v1alpha1',
      kind: 'EncryptionMesh',
      metadata: { name: 'default' },
      spec: {},
    };
    const path = MESH_PATH.replace('/default', '');
    assert.equal((await send(controller, { method: 'POST', path, body })).status, 403);
  });

  it('lets an agent only read it', async () => {
    const agent = cluster.current.as(await cluster.current.tokenOf(AGENT, 'n1'));
    assert.equal((await send(agent, { path: MESH_PATH })).status, 200);
    assert.equal((await patch(agent, MESH_PATH, { spec: { generation: 7 } })).status, 403);
    assert.equal((await patch(agent, `${MESH_PATH}/status`, { status: { generation: 6 } })).status, 403);
  });

  it('lets neither read Secrets, nor write what they read', async () => {
    const agent = cluster.current.as(await cluster.current.tokenOf(AGENT, 'n3'));
    for (const target of [agent, controller, rotate]) {
      for (const path of [
        '/api/v1/secrets',
        '/api/v1/configmaps',
        '/api/v1/namespaces/sheath-system/secrets',
        '/api/v1/pods',
      ])
        assert.equal((await send(target, { path })).status, 403, path);
      for (const path of ['/api/v1/nodes/n1', '/api/v1/namespaces/kube-system'])
        assert.equal((await send(target, { method: 'DELETE', path })).status, 403, path);
    }
    assert.equal(
      (await patch(controller, '/api/v1/nodes/n1', { metadata: { labels: { a: 'b' } } })).status,
      403,
    );
    const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
    assert.equal((await send(controller, { path: lease })).status, 403);
  });

  it('lets whoever may administer it do all of that', async () => {
    const answer = await patch(cluster.current.admin, MESH_PATH, {
      spec: { generation: 9, mode: 'permissive', encryption: 'none' },
    });
    assert.equal(answer.status, 200, messageOf(answer));
  });

  it('lets the controller let it go when encryption is none, and when it is being deleted', async () => {
    const { admin } = cluster.current;
    for (const finalizers of [[], [FINALIZER]]) {
      const answer = await patch(controller, MESH_PATH, { metadata: { finalizers } });
      assert.equal(answer.status, 200, messageOf(answer));
    }
    assert.equal((await patch(admin, MESH_PATH, { spec: { encryption: 'wireguard' } })).status, 200);
    assert.equal((await send(admin, { method: 'DELETE', path: MESH_PATH })).status, 200);
    const gone = await patch(controller, MESH_PATH, { metadata: { finalizers: [] } });
    assert.equal(gone.status, 200, messageOf(gone));
    assert.equal((await send(admin, { path: MESH_PATH })).status, 404);
  });
});

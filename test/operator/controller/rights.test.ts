import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { call, send } from '../../../lab/api-client.ts';
import { writeKubeconfig } from '../../../lab/kubeconfig.ts';
import { type EncryptionMesh, FINALIZER, MESH, MESHES } from '../../../operator/config/resource.ts';
import { LEASE, runController } from '../../../operator/controller/run.ts';
import { annotate, MERGE, messageOf, patch, useCluster } from '../../trust/cluster.ts';
import { annotations } from './cluster.ts';
import { eventually, HASTY } from './lab.ts';

describe('the controller with the rights that the manifests give it', function () {
  this.timeout(60_000);
  const cluster = useCluster();
  const ending = new AbortController();
  let running: Promise<void>;
  let token: string;

  const mesh = async (): Promise<EncryptionMesh | undefined> => {
    const answer = await send(cluster.current.admin, { path: MESH });
    return answer.status === 404 ? undefined : (JSON.parse(answer.bytes.toString()) as EncryptionMesh);
  };
  const say = (node: string, options: Parameters<typeof annotations>[0]) =>
    annotate(cluster.current.admin, node, {
      'sheath.dev/generations': null,
      'sheath.dev/sending': null,
      ...annotations(options),
    });

  before(async function () {
    this.timeout(60_000);
    const { current } = cluster;
    await current.install();
    token = await current.tokenOf('sheath-controller', 'n1');
    const kubeconfig = join(current.api.folder, 'controller');
    await writeKubeconfig(kubeconfig, {
      server: current.api.url,
      certificateAuthority: await readFile(join(current.api.folder, 'certs', 'apiserver.crt')),
      token,
    });
    const body = {
      apiVersion: 'sheath.dev/v1alpha1',
      kind: 'EncryptionMesh',
      metadata: { name: 'default' },
      spec: { encryption: 'wireguard', generation: 7, rotation: { interval: '1h' } },
    };
    await call(current.admin, { method: 'POST', path: MESHES, body });
    await current.untilGuarded((text) =>
      patch(current.as(token), MESH, { metadata: { labels: { tried: text } } }),
    );
    for (const node of ['n1', 'n2', 'n3']) await say(node, { held: [7] });
    running = runController(
      {
        identity: 'pod-1',
        namespace: 'sheath-system',
        kubeconfig,
        logLevel: 'silent',
        version: '9.9.9',
        leaseTimes: HASTY,
      },
      ending.signal,
    );
  });
  after(async () => {
    ending.abort();
    await running;
  });

  it('leads, puts its finalizer, and writes the status', async () => {
    const seen = await eventually('3/3', mesh, (found) => found?.status?.nodes?.summary === '3/3');
    assert.ok(seen?.metadata.finalizers?.includes(FINALIZER));
    const lease = (await call(cluster.current.admin, {
      path: `/apis/coordination.k8s.io/v1/namespaces/sheath-system/leases/${LEASE}`,
    })) as { spec: { holderIdentity: string } };
    assert.match(lease.spec.holderIdentity, /^pod-1_/);
  });

  it('writes Events', async () => {
    const events = async () => {
      const path = '/api/v1/namespaces/default/events?fieldSelector=reportingComponent%3Dsheath-controller';
      const { items } = (await call(cluster.current.admin, { path })) as { items: { reason: string }[] };
      return items.map(({ reason }) => reason);
    };
    await eventually('an Event', events, (reasons) => reasons.includes('Encrypted'));
  });

  it('begins a rotation by schedule, and may do no more than that', async () => {
    const ago = new Date(Date.now() - 7_200_000).toISOString().replace(/\.\d+/, '');
    const body = { status: { lastRotationTime: ago } };
    await call(cluster.current.admin, { method: 'PATCH', path: `${MESH}/status`, body, headers: MERGE });
    await eventually('a rotation', mesh, (found) => found?.status?.rotation?.to === 8);
    assert.equal((await mesh())?.spec.generation, 8);
    const thief = cluster.current.as(token);
    for (const spec of [{ generation: 10 }, { encryption: 'none' }, { exempt: ['10.0.0.0/8'] }]) {
      const refused = await patch(thief, MESH, { spec });
      assert.ok([403, 422].includes(refused.status), messageOf(refused));
    }
  });

  it('lets the resource go when all nodes are off', async () => {
    await call(cluster.current.admin, { method: 'DELETE', path: MESH });
    await eventually(
      'deleting',
      mesh,
      (found) => found?.status?.conditions?.some(({ reason }) => reason === 'Deleting') === true,
    );
    for (const node of ['n1', 'n2', 'n3']) await say(node, {});
    await eventually('gone', mesh, (found) => found === undefined);
  });
});

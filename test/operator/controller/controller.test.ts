import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { call } from '../../../lab/api-client.ts';
import { FINALIZER } from '../../../operator/config/resource.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import { APIS, type Api, ControllerLab, eventually } from './lab.ts';

const SPEC: Spec = { encryption: 'wireguard', generation: 7 };
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/sheath-system/leases/sheath-controller';

for (const [name, startApi] of Object.entries(APIS)) {
  describe(`the controller, at ${name}`, function () {
    this.timeout(60_000);
    let api: Api;
    let lab: ControllerLab;
    before(async function () {
      this.timeout(180_000);
      api = await startApi();
    });
    after(() => api?.stop());
    beforeEach(() => {
      lab = new ControllerLab(api);
    });
    afterEach(() => lab.close());

    const holder = async () => {
      const { spec } = (await call(api.target, { path: LEASE })) as { spec: { holderIdentity?: string } };
      return spec.holderIdentity ?? '';
    };

    it('says how many nodes are encrypted, and holds the resource by its finalizer', async () => {
      await lab.node('n1', { held: [7] });
      await lab.node('n2', { held: [7], sending: [0, 7] });
      await lab.create(SPEC);
      lab.start();
      const first = await lab.becomes('1/2', ({ status }) => status?.nodes?.summary === '1/2');
      assert.deepEqual(first.metadata.finalizers, [FINALIZER]);
      assert.equal(first.status?.observedGeneration, first.metadata.generation);
      assert.equal(first.status?.nodes?.waiting[0]?.node, 'n2');
      await lab.node('n2', { held: [7] });
      const second = await lab.becomes('2/2', ({ status }) => status?.nodes?.summary === '2/2');
      assert.equal(second.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
      await lab.node('n2', { agent: null });
      await lab.becomes('1/2', ({ status }) => status?.nodes?.summary === '1/2');
      await lab.says('default Encrypted', 'n2 NotEncrypted');
      await lab.deleteNode('n2');
      await lab.becomes('1/1', ({ status }) => status?.nodes?.summary === '1/1');
      await lab.node('n3');
      await lab.patch({ spec: { nodeSelector: { matchLabels: { wave: '1' } } } });
      await lab.becomes('0/0', ({ status }) => status?.nodes?.summary === '0/0');
      await createAgain(lab);
    });

    it('follows a rotation, and tells of its beginning and end', async () => {
      for (const node of ['n1', 'n2']) await lab.node(node, { held: [7] });
      await lab.create(SPEC);
      lab.start();
      await lab.becomes('2/2', ({ status }) => status?.nodes?.summary === '2/2');
      await lab.patch({ spec: { generation: 8 } });
      await lab.becomes('a rotation', ({ status }) => status?.rotation?.to === 8);
      for (const node of ['n1', 'n2']) await lab.node(node, { held: [7, 8] });
      await lab.becomes('published', ({ status }) => status?.rotation?.published === 2);
      await lab.node('n1', { held: [7, 8], sending: [8] });
      const waits = await lab.becomes('n2 waited for', ({ status }) => status?.rotation?.switched === 1);
      assert.equal(waits.status?.rotation?.waiting[0]?.node, 'n2');
      for (const node of ['n1', 'n2']) await lab.node(node, { held: [8] });
      const end = await lab.becomes('rotated', ({ status }) => status?.rotation === undefined);
      assert.equal(end.status?.generation, 8);
      await lab.says('default RotationStarted', 'default RotationCompleted');
    });

    it('rotates by schedule: by one, once, and not while one is under way', async () => {
      await lab.node('n1', { held: [7] });
      await lab.create({ ...SPEC, rotation: { interval: '1h' } });
      const running = lab.start();
      await lab.becomes('1/1', ({ status }) => status?.lastRotationTime !== undefined);
      await running.stop();
      const ago = new Date(Date.now() - 7_200_000).toISOString().replace(/\.\d+/, '');
      await lab.patch({ status: { lastRotationTime: ago } }, '/status');
      lab.start();
      await lab.becomes(
        'a rotation',
        ({ spec, status }) => spec.generation === 8 && status?.rotation?.to === 8,
      );
      await sleep(2_500);
      assert.equal((await lab.mesh())?.spec.generation, 8);
      await lab.node('n1', { held: [8] });
      const end = await lab.becomes('rotated', ({ status }) => status?.rotation === undefined);
      assert.notEqual(end.status?.lastRotationTime, ago);
      await sleep(1_500);
      assert.equal((await lab.mesh())?.spec.generation, 8);
    });

    it('writes the status at most once a second, whatever happens, and nothing when nothing does', async () => {
      const names = ['n1', 'n2', 'n3'];
      for (const node of names) await lab.node(node, { held: [7] });
      await lab.create(SPEC);
      lab.start();
      await lab.becomes('3/3', ({ status }) => status?.nodes?.summary === '3/3');
      await sleep(1_200);
      const versions = new Set<string | undefined>();
      const began = performance.now();
      for (let i = 0; performance.now() - began < 4_000; i += 1) {
        // One Node changes all the time, two with each second: so the count of each second differs from that before.
        const node = names[i % 3] ?? 'n1';
        const count = node === 'n3' ? i : Math.floor((performance.now() - began) / 1000);
        await lab.node(node, { held: [7], sending: count % 2 === 0 ? [0, 7] : [7] });
        versions.add((await lab.mesh())?.metadata.resourceVersion);
      }
      assert.ok(versions.size >= 3 && versions.size <= 6, `${versions.size} versions in 4 s`);
      await sleep(2_000);
      const settled = (await lab.mesh())?.metadata.resourceVersion;
      await call(api.target, {
        method: 'PATCH',
        path: '/api/v1/nodes/n1/status',
        body: { status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Heartbeat' }] } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
      await sleep(2_500);
      assert.equal((await lab.mesh())?.metadata.resourceVersion, settled);
    });

    it('puts back what somebody else wrote into the status', async () => {
      await lab.node('n1', { held: [7] });
      await lab.create(SPEC);
      lab.start();
      await lab.becomes('1/1', ({ status }) => status?.nodes?.summary === '1/1');
      await lab.patch({ status: { nodes: { summary: '9/9' } } }, '/status');
      await lab.becomes('1/1', ({ status }) => status?.nodes?.summary === '1/1');
    });

    it('lets the resource go when every node is off, and not before', async () => {
      await lab.node('n1', { held: [7], agent: { mode: 'strict' } });
      await lab.node('n2', { held: [7] });
      await lab.create({ ...SPEC, clusterPrefixes: ['10.244.0.0/16'], mode: 'strict' });
      lab.start();
      await lab.becomes('held', ({ metadata }) => metadata.finalizers?.includes(FINALIZER) === true);
      await lab.delete();
      await lab.becomes(
        'deleting',
        ({ status }) => status?.conditions?.some(({ reason }) => reason === 'Deleting') === true,
      );
      await lab.node('n2');
      await lab.node('n1', { agent: { mode: 'strict' } });
      await sleep(2_000);
      assert.ok(await lab.mesh());
      await lab.node('n1');
      await lab.gone();
    });

    it('is led by one of two; the other follows when it ends', async () => {
      await lab.node('n1', { held: [7] });
      await lab.create(SPEC);
      const first = lab.start('first');
      await eventually('the first leads', holder, (id) => id.startsWith('first_'));
      lab.start('second');
      await sleep(1_000);
      assert.ok((await holder()).startsWith('first_'));
      await first.stop();
      await eventually('the second leads', holder, (id) => id.startsWith('second_'));
      await lab.node('n2', { held: [7] });
      await lab.becomes('2/2', ({ status }) => status?.nodes?.summary === '2/2');
    });

    if (name === 'the embedded API server')
      it('gets through errors, cut connections and a server that was away', async () => {
        const { embedded } = api;
        assert.ok(embedded);
        await lab.node('n1', { held: [7] });
        await lab.create(SPEC);
        lab.start();
        await lab.becomes('1/1', ({ status }) => status?.nodes?.summary === '1/1');
        for (const kind of ['cut', 'status'] as const) {
          embedded.inject({ kind, verb: 'patch', resource: 'encryptionmeshes', requests: 2 });
          embedded.inject({ kind, verb: 'patch', resource: 'leases', requests: 1 });
          embedded.cutConnections();
          await lab.node('n2', { held: [7], sending: kind === 'cut' ? [7] : [0, 7] });
          const summary = kind === 'cut' ? '2/2' : '1/2';
          await lab.becomes(summary, ({ status }) => status?.nodes?.summary === summary);
          embedded.clearFaults();
        }
        await embedded.close();
        await sleep(1_500);
        await embedded.listen();
        await lab.node('n2', { held: [7] });
        await lab.becomes('2/2', ({ status }) => status?.nodes?.summary === '2/2');
      });
  });
}

/** Deleted and made again while nodes hold keys: spoken of as the new one. */
async function createAgain(lab: ControllerLab): Promise<void> {
  await lab.patch({ metadata: { finalizers: null } });
  await lab.delete();
  await lab.patch({ metadata: { finalizers: null } }).catch(() => undefined);
  await lab.gone();
  await lab.says('default ResourceGone');
  await lab.create(SPEC);
  await lab.becomes('spoken of', ({ status }) => status?.nodes?.summary === '1/2');
}

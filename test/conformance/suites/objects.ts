import assert from 'node:assert/strict';
import { type Client, LEASES, MESHES, METADATA, NODES, node } from '../client.ts';

/** Get, create, update, merge patch, delete, and the errors of each. */
export function objects(client: () => Client): void {
  it('creates, reads and deletes a Node', async () => {
    const created = await client().post(NODES, {
      ...node('crud', { a: 'b' }),
      status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
    });
    assert.equal(created.status, 201);
    assert.match(created.body.metadata.uid, /^[0-9a-f-]{36}$/);
    assert.match(created.body.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const read = await client().get(`${NODES}/crud`);
    assert.equal(read.status, 200);
    assert.deepEqual(read.body, created.body);
    assert.equal(read.body.status.addresses[0].address, '192.0.2.1', 'a kubelet registers with its status');
    const deleted = await client().delete(`${NODES}/crud`);
    assert.equal(deleted.status, 200);
    assert.equal(deleted.body.status, 'Success');
    const gone = await client().get(`${NODES}/crud`);
    assert.equal(gone.status, 404);
    assert.equal(gone.body.kind, 'Status');
    assert.equal(gone.body.reason, 'NotFound');
    assert.equal(gone.body.message, 'nodes "crud" not found');
  });

  it('refuses a second object of one name', async () => {
    await client().post(NODES, node('twice'));
    const again = await client().post(NODES, node('twice'));
    assert.equal(again.status, 409);
    assert.equal(again.body.reason, 'AlreadyExists');
  });

  it('refuses names and annotations that Kubernetes does not have', async () => {
    assert.equal((await client().post(NODES, node('Not_A_Name'))).status, 422);
    assert.equal((await client().post(NODES, node('wrong-key', { 'a b': 'c' }))).status, 422);
    assert.equal((await client().post(NODES, node('too-long', { a: 'x'.repeat(300_000) }))).status, 422);
    const number = { ...node('number'), metadata: { name: 'number', annotations: { a: 1 } } };
    assert.equal((await client().post(NODES, number)).status, 400);
  });

  it('replaces an object only from the version it has', async () => {
    const { body: first } = await client().post(NODES, node('update'));
    const next = { ...first, metadata: { ...first.metadata, annotations: { step: '2' } } };
    const second = await client().put(`${NODES}/update`, next);
    assert.equal(second.status, 200);
    assert.equal(second.body.metadata.annotations.step, '2');
    assert.equal(second.body.metadata.uid, first.metadata.uid);
    const late = await client().put(`${NODES}/update`, next);
    assert.equal(late.status, 409);
    assert.equal(late.body.reason, 'Conflict');
    assert.match(late.body.message, /the object has been modified/);
    const stranger = { ...next, metadata: { ...next.metadata, uid: 'another', resourceVersion: undefined } };
    assert.equal((await client().put(`${NODES}/update`, stranger)).status, 409);
    const unnamed = { ...next, metadata: { ...next.metadata, resourceVersion: undefined } };
    assert.equal((await client().put(`${NODES}/update`, unnamed)).status, 200);
  });

  it('keeps the resource version of an object that does not change', async () => {
    const { body: first } = await client().post(NODES, node('same', { a: '1' }));
    const again = await client().merge(`${NODES}/same`, { metadata: { annotations: { a: '1' } } });
    assert.equal(again.body.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  it('merges a patch: sets, removes, checks uid and version', async () => {
    const { body: first } = await client().post(NODES, node('merge', { keep: '1', drop: '2' }));
    const patched = await client().merge(`${NODES}/merge`, {
      metadata: { annotations: { drop: null, add: '3' } },
    });
    assert.equal(patched.status, 200);
    assert.deepEqual(patched.body.metadata.annotations, { keep: '1', add: '3' });
    const path = `${NODES}/merge`;
    assert.equal(
      (
        await client().merge(path, {
          metadata: { resourceVersion: first.metadata.resourceVersion, annotations: { x: 'y' } },
        })
      ).status,
      409,
    );
    assert.equal(
      (await client().merge(path, { metadata: { uid: 'another', annotations: { x: 'y' } } })).status,
      422,
    );
    assert.equal((await client().merge(`${NODES}/merge-absent`, {})).status, 404);
  });

  it('keeps status and the rest apart for Nodes', async () => {
    await client().post(NODES, node('status'));
    const status = { addresses: [{ type: 'InternalIP', address: '192.0.2.9' }] };
    await client().merge(`${NODES}/status/status`, {
      status,
      spec: { podCIDR: '10.9.0.0/24' },
      metadata: { annotations: { via: 'status' } },
    });
    const { body } = await client().get(`${NODES}/status`);
    assert.deepEqual(body.status.addresses, status.addresses);
    assert.equal(body.spec?.podCIDR, undefined);
    assert.deepEqual(
      body.metadata.annotations,
      { via: 'status' },
      'kubelets may annotate through the status',
    );
    await client().merge(`${NODES}/status`, { status: { addresses: [] } });
    assert.deepEqual((await client().get(`${NODES}/status`)).body.status.addresses, status.addresses);
  });

  it('keeps status and the rest apart for our resource, and counts generations', async () => {
    const mesh = { apiVersion: 'sheath.dev/v1alpha1', kind: 'EncryptionMesh', metadata: { name: 'default' } };
    const created = await client().post(MESHES, { ...mesh, spec: { encryption: 'none' }, status: { a: 1 } });
    assert.equal(created.status, 201);
    assert.equal(created.body.status, undefined);
    assert.equal(created.body.metadata.generation, 1);
    const changed = await client().merge(`${MESHES}/default`, {
      spec: { encryption: 'wireguard' },
      status: { a: 1 },
    });
    assert.equal(changed.body.metadata.generation, 2);
    assert.equal(changed.body.status, undefined);
    const told = await client().merge(`${MESHES}/default/status`, {
      spec: { encryption: 'ipsec' },
      status: { observed: 2 },
      metadata: { annotations: { a: 'b' } },
    });
    assert.deepEqual(told.body.status, { observed: 2 });
    assert.deepEqual(told.body.spec, { encryption: 'wireguard' });
    assert.equal(told.body.metadata.annotations, undefined);
    assert.equal(told.body.metadata.generation, 2);
    const { resourceVersion: _, ...unversioned } = told.body.metadata;
    assert.equal(
      (await client().put(`${MESHES}/default`, { ...told.body, metadata: unversioned })).status,
      422,
    );
    const missing = await client().get(`${MESHES}/absent`);
    assert.equal(missing.body.message, 'encryptionmeshes.sheath.dev "absent" not found');
    await client().delete(`${MESHES}/default`);
  });

  it('holds Leases, with one winner of two that update', async () => {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'leader' },
      spec: { holderIdentity: 'a' },
    };
    const { body } = await client().post(LEASES, lease);
    assert.equal(body.metadata.namespace, 'kube-system');
    const taken = {
      ...body,
      spec: { ...body.spec, holderIdentity: 'b', renewTime: '2026-01-02T03:04:05.000006Z' },
    };
    assert.equal((await client().put(`${LEASES}/leader`, taken)).status, 200);
    assert.equal(
      (await client().put(`${LEASES}/leader`, { ...body, spec: { holderIdentity: 'c' } })).status,
      409,
    );
    assert.equal((await client().get(`${LEASES}/leader`)).body.spec.holderIdentity, 'b');
  });

  it('holds Events, with generated names, in namespaces that are there', async () => {
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: 'n1.' },
      involvedObject: { kind: 'Node', name: 'n1' },
      reason: 'PeerRefused',
      message: 'a reason',
      type: 'Warning',
    };
    const created = await client().post('/api/v1/namespaces/default/events', event);
    assert.equal(created.status, 201, JSON.stringify(created.body));
    assert.match(created.body.metadata.name, /^n1\..{5}$/);
    assert.equal((await client().post('/api/v1/namespaces/nowhere/events', event)).status, 404);
  });

  it('deletes only the object that is meant', async () => {
    const { body } = await client().post(NODES, node('doomed'));
    const wrong = await client().delete(`${NODES}/doomed`, { preconditions: { uid: 'another' } });
    assert.equal(wrong.status, 409);
    assert.equal(
      (await client().delete(`${NODES}/doomed`, { preconditions: { uid: body.metadata.uid } })).status,
      200,
    );
    assert.equal((await client().delete(`${NODES}/doomed`)).status, 404);
  });

  it('keeps what has a finalizer until the last of them is gone', async () => {
    const mesh = {
      apiVersion: 'sheath.dev/v1alpha1',
      kind: 'EncryptionMesh',
      metadata: { name: 'default', finalizers: ['sheath.dev/one', 'sheath.dev/two'] },
      spec: { encryption: 'none' },
    };
    const path = `${MESHES}/default`;
    await client().post(MESHES, mesh);
    const deleted = await client().delete(path);
    assert.equal(deleted.status, 200);
    const { metadata } = (await client().get(path)).body;
    assert.match(metadata.deletionTimestamp, /^\d{4}-/);
    assert.equal(metadata.generation, 2);
    assert.equal((await client().delete(path)).status, 200);
    assert.equal((await client().get(path)).body.metadata.resourceVersion, metadata.resourceVersion);
    const revived = await client().merge(path, { metadata: { deletionTimestamp: null } });
    assert.equal(revived.body.metadata.deletionTimestamp, metadata.deletionTimestamp);
    const more = await client().merge(path, { metadata: { finalizers: ['sheath.dev/three'] } });
    assert.equal(more.status, 422);
    assert.equal((await client().merge(path, { metadata: { finalizers: ['sheath.dev/two'] } })).status, 200);
    assert.equal((await client().merge(`${path}/status`, { status: { a: 1 } })).status, 200);
    assert.equal((await client().merge(path, { metadata: { finalizers: null } })).status, 200);
    assert.equal((await client().get(path)).status, 404);
  });

  it('shows metadata only, where the client accepts it', async () => {
    await client().post(NODES, node('partial', { a: 'b' }));
    const { body } = await client().get(`${NODES}/partial`, METADATA);
    assert.equal(body.kind, 'PartialObjectMetadata');
    assert.equal(body.apiVersion, 'meta.k8s.io/v1');
    assert.deepEqual(body.metadata.annotations, { a: 'b' });
    assert.deepEqual(Object.keys(body).sort(), ['apiVersion', 'kind', 'metadata']);
  });

  it('refuses what it does not know', async () => {
    assert.equal((await client().get('/api/v1/nothing')).status, 404);
    assert.equal((await client().get('/apis/sheath.dev/v9/encryptionmeshes')).status, 404);
    assert.equal((await client().get(NODES, 'text/html')).status, 406);
    const strange = await client().ask({
      method: 'PATCH',
      path: `${NODES}/partial`,
      body: {},
      headers: { 'content-type': 'text/plain' },
    });
    assert.equal(strange.status, 415);
    assert.equal((await client().get('/version')).body.major, '1');
    assert.equal((await client().raw({ path: '/readyz' })).status, 200);
  });
}

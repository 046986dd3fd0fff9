import assert from 'node:assert/strict';
import { type Client, MESHES, NODES, node } from '../client.ts';

/** Server-side apply: what a manager sets, keeps, takes and gives up. */
export function apply(client: () => Client): void {
  const annotated = (name: string, annotations: Record<string, string>, uid?: string) => ({
    ...node(name, annotations),
    metadata: { name, annotations, ...(uid && { uid }) },
  });
  const path = (name: string) => `${NODES}/${name}`;

  it('creates what is not there', async () => {
    const first = await client().apply(
      path('apply-new'),
      annotated('apply-new', { a: '1' }),
      'fieldManager=one',
    );
    assert.equal(first.status, 201);
    const [entry] = first.body.metadata.managedFields;
    assert.equal(entry.manager, 'one');
    assert.equal(entry.operation, 'Apply');
    assert.deepEqual(entry.fieldsV1['f:metadata']['f:annotations'], { 'f:a': {} });
  });

  it('with a uid does not create, and does not touch another object of that name', async () => {
    const uid = '00000000-0000-4000-8000-000000000000';
    const absent = await client().apply(
      path('apply-uid'),
      annotated('apply-uid', { a: '1' }, uid),
      'fieldManager=one&force=true',
    );
    assert.equal(absent.status, 409);
    assert.equal((await client().get(path('apply-uid'))).status, 404);
    const { body } = await client().post(NODES, node('apply-uid'));
    const other = await client().apply(
      path('apply-uid'),
      annotated('apply-uid', { a: '1' }, uid),
      'fieldManager=one&force=true',
    );
    assert.equal(other.status, 422, 'not 409: the server takes it for an attempt to change the uid');
    assert.equal(other.body.reason, 'Invalid');
    assert.match(other.body.message, /metadata\.uid: .*field is immutable/);
    const same = await client().apply(
      path('apply-uid'),
      annotated('apply-uid', { a: '1' }, body.metadata.uid),
      'fieldManager=one&force=true',
    );
    assert.equal(same.status, 200);
    assert.equal(same.body.metadata.annotations.a, '1');
  });

  it('changes nothing, and no version, when applied again', async () => {
    const body = annotated('apply-same', { a: '1', b: '2' });
    const first = await client().apply(path('apply-same'), body, 'fieldManager=one');
    const again = await client().apply(path('apply-same'), body, 'fieldManager=one');
    assert.equal(again.status, 200);
    assert.equal(again.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
  });

  it('of an empty map takes away what the manager applied, and nothing of others', async () => {
    await client().post(NODES, node('apply-empty', { theirs: '1' }));
    const query = 'fieldManager=one&force=true';
    await client().apply(path('apply-empty'), annotated('apply-empty', { ours: '1' }), query);
    const { body } = await client().apply(path('apply-empty'), annotated('apply-empty', {}), query);
    assert.deepEqual(body.metadata.annotations, { theirs: '1' });
  });

  it('removes what the manager no longer applies, and leaves what is others', async () => {
    await client().post(NODES, node('apply-drop', { theirs: 'x' }));
    await client().apply(path('apply-drop'), annotated('apply-drop', { a: '1', b: '2' }), 'fieldManager=one');
    const fewer = await client().apply(
      path('apply-drop'),
      annotated('apply-drop', { b: '2' }),
      'fieldManager=one',
    );
    assert.deepEqual(fewer.body.metadata.annotations, { theirs: 'x', b: '2' });
    const none = await client().apply(
      path('apply-drop'),
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'apply-drop' } },
      'fieldManager=one',
    );
    assert.deepEqual(none.body.metadata.annotations, { theirs: 'x' });
  });

  it('refuses to change what another owns, unless forced', async () => {
    await client().apply(path('apply-fight'), annotated('apply-fight', { a: '1' }), 'fieldManager=one');
    const refused = await client().apply(
      path('apply-fight'),
      annotated('apply-fight', { a: '2' }),
      'fieldManager=two',
    );
    assert.equal(refused.status, 409);
    assert.equal(refused.body.reason, 'Conflict');
    assert.deepEqual(refused.body.details.causes, [
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.metadata.annotations.a' },
    ]);
    const forced = await client().apply(
      path('apply-fight'),
      annotated('apply-fight', { a: '2' }),
      'fieldManager=two&force=true',
    );
    assert.equal(forced.body.metadata.annotations.a, '2');
    const back = await client().apply(
      path('apply-fight'),
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'apply-fight' } },
      'fieldManager=one',
    );
    assert.equal(
      back.body.metadata.annotations.a,
      '2',
      'what was taken is no longer the first manager to remove',
    );
  });

  it('shares what two apply alike, until the last gives it up', async () => {
    await client().apply(path('apply-share'), annotated('apply-share', { a: '1' }), 'fieldManager=one');
    const shared = await client().apply(
      path('apply-share'),
      annotated('apply-share', { a: '1' }),
      'fieldManager=two',
    );
    assert.equal(shared.status, 200);
    const empty = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'apply-share' } };
    assert.equal(
      (await client().apply(path('apply-share'), empty, 'fieldManager=one')).body.metadata.annotations.a,
      '1',
    );
    assert.equal(
      (await client().apply(path('apply-share'), empty, 'fieldManager=two')).body.metadata.annotations?.a,
      undefined,
    );
  });

  it('heals what a patch overwrote', async () => {
    const wanted = annotated('apply-heal', { a: '1' });
    await client().apply(path('apply-heal'), wanted, 'fieldManager=one');
    const overwritten = await client().merge(path('apply-heal'), {
      metadata: { annotations: { a: 'damaged' } },
    });
    assert.equal(overwritten.body.metadata.annotations.a, 'damaged');
    const refused = await client().apply(path('apply-heal'), wanted, 'fieldManager=one');
    assert.equal(refused.status, 409);
    assert.match(refused.body.details.causes[0].message, /^conflict with ".+" using v1$/);
    const healed = await client().apply(path('apply-heal'), wanted, 'fieldManager=one&force=true');
    assert.equal(healed.body.metadata.annotations.a, '1');
  });

  it('needs a manager, and no managedFields', async () => {
    assert.equal((await client().apply(path('apply-new'), annotated('apply-new', {}), '')).status, 422);
    const owned = {
      ...node('apply-new'),
      metadata: { name: 'apply-new', managedFields: [{ manager: 'x' }] },
    };
    assert.equal((await client().apply(path('apply-new'), owned, 'fieldManager=one')).status, 400);
  });

  it('applies our resource, and its status apart', async () => {
    const mesh = { apiVersion: 'sheath.dev/v1alpha1', kind: 'EncryptionMesh', metadata: { name: 'applied' } };
    const created = await client().apply(
      `${MESHES}/applied`,
      { ...mesh, spec: { encryption: 'none' } },
      'fieldManager=one',
    );
    assert.equal(created.status, 201);
    const told = await client().apply(
      `${MESHES}/applied/status`,
      { ...mesh, status: { state: 'off' } },
      'fieldManager=controller',
    );
    assert.equal(told.status, 200);
    const changed = await client().apply(
      `${MESHES}/applied`,
      { ...mesh, spec: { encryption: 'wireguard', mode: 'strict' } },
      'fieldManager=one',
    );
    assert.deepEqual(changed.body.status, { state: 'off' });
    assert.equal(changed.body.metadata.generation, 2);
    const fewer = await client().apply(
      `${MESHES}/applied`,
      { ...mesh, spec: { encryption: 'wireguard' } },
      'fieldManager=one',
    );
    assert.deepEqual(fewer.body.spec, { encryption: 'wireguard' });
    await client().delete(`${MESHES}/applied`);
  });
}

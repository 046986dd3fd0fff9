import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ApiTarget, apiTarget, call, send } from '../../../lab/api-client.ts';
import { resolveConfig } from '../../../operator/config/resolve.ts';
import { MESH, MESHES } from '../../../operator/config/resource.ts';
import { OperatorError } from '../../../operator/errors.ts';
import { parseMesh, resourceLayer } from '../../../operator/resource/parse.ts';
import { type KubeApiserver, startKubeApiserver } from '../../support/kube-apiserver.ts';
import { anyIpsec, anySpec } from './any-spec.ts';
import {
  applyCrd,
  create,
  established,
  getCrd,
  kubectl,
  merged,
  mesh,
  STRICT,
  tried,
} from './crd-requests.ts';
import { INVALID, VALID, type Written } from './samples.ts';

describe('the CustomResourceDefinition, at the real API server', function () {
  this.timeout(120_000);
  let server: KubeApiserver;
  let target: ApiTarget;

  before(async () => {
    server = await startKubeApiserver();
    target = await apiTarget(server.kubeconfigPath);
    // Twice: the second changes nothing.
    const [first, second] = [await applyCrd(target), await applyCrd(target)];
    assert.equal(second.metadata.generation, first.metadata.generation);
    await established(target);
  });
  after(() => server.stop());

  it('is structural, and the server has nothing against it', async () => {
    const { conditions } = (await getCrd(target)).status;
    const byType = Object.fromEntries(conditions.map(({ type, status }) => [type, status]));
    assert.deepEqual(
      [byType.NamesAccepted, byType.Established, byType.NonStructuralSchema ?? 'False'],
      ['True', 'True', 'False'],
    );
  });

  for (const [name, spec] of Object.entries(VALID))
    it(`takes ${name}, and so does the agent`, async () => {
      const answer = await tried(target, spec);
      assert.equal(answer.status, 201, answer.message);
      assert.equal(refusedByAgent(spec), undefined);
      assert.deepEqual(answer.spec, spec, 'nothing is filled in, nothing is taken away');
    });

  for (const [field, spec] of INVALID)
    it(`refuses ${JSON.stringify(spec)} and names ${field}`, async () => {
      const answer = await tried(target, spec);
      assert.ok(answer.status === 422 || answer.status === 400, `${answer.status} ${answer.message}`);
      assert.ok(answer.message.includes(field), answer.message);
    });

  it('refuses any other name, and a resource without a spec', async () => {
    const other = await tried(target, {}, { name: 'other' });
    assert.match(other.message, /metadata\.name must be default/);
    const none = await send(target, {
      method: 'POST',
      path: `${MESHES}?${STRICT}&dryRun=All`,
      body: { apiVersion: 'sheath.dev/v1alpha1', kind: 'EncryptionMesh', metadata: { name: 'default' } },
    });
    assert.match(none.bytes.toString(), /spec: Required value/);
  });

  for (const [what, specs, runs] of [
    ['whatever may be written', anySpec, 400],
    ['proposals', anyIpsec, 200],
  ] as const)
    it(`agrees with the agent about ${what}`, async () => {
      const outcomes = { taken: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(specs, async (spec) => {
          const answer = await tried(target, spec);
          const refused = refusedByAgent(spec);
          outcomes[refused === undefined ? 'taken' : 'refused'] += 1;
          assert.equal(answer.status === 201, refused === undefined, `${answer.message} / agent: ${refused}`);
        }),
        { numRuns: runs },
      );
      assert.ok(outcomes.taken > 20 && outcomes.refused > 20, JSON.stringify(outcomes));
    });

  describe('a resource that is there', () => {
    before(() => create(target, { encryption: 'wireguard', generation: 3 }));
    after(() => call(target, { method: 'DELETE', path: MESH }));

    for (const [what, spec] of [
      ['lowered', { generation: 2 }],
      ['taken away', { generation: null }],
    ] as const)
      it(`keeps its generation from being ${what}`, async () => {
        const answer = await merged(target, { spec });
        assert.equal(answer.status, 422);
        assert.match(answer.message, /spec\.generation: .*never lowered/);
      });

    it('and from going with the spec', async () => {
      const answer = await merged(target, { spec: null });
      assert.equal(answer.status, 422, answer.message);
    });

    it('keeps its driver while its generation stays', async () => {
      for (const spec of [{ encryption: 'ipsec' }, { encryption: 'ipsec', generation: 3 }]) {
        const answer = await merged(target, { spec });
        assert.equal(answer.status, 422, answer.message);
        assert.match(answer.message, /spec\.encryption: .*together with a higher generation only/);
      }
    });

    it('may be switched off and on as it was, and changes its driver with a higher generation', async () => {
      for (const [spec, status] of [
        [{ encryption: 'none' }, 200],
        [{ encryption: 'wireguard' }, 200],
        [{ encryption: 'ipsec', generation: 4 }, 200],
        [{ encryption: 'wireguard' }, 422],
        [{ encryption: 'wireguard', generation: 5 }, 200],
      ] as const)
        assert.equal((await merged(target, { spec })).status, status, JSON.stringify(spec));
    });

    it('may be raised', async () =>
      assert.equal((await merged(target, { spec: { generation: 6 } })).status, 200));

    it('has a status that only /status writes', async () => {
      const status = {
        observedGeneration: 2,
        generation: 4,
        nodes: {
          total: 3,
          encrypted: 2,
          summary: '2/3',
          waiting: [{ node: 'n3', reason: 'start an agent there' }],
        },
        conditions: [
          {
            type: 'Ready',
            status: 'False',
            reason: 'NodesWaiting',
            message: 'n3: start an agent there',
            lastTransitionTime: '2026-11-22T18:00:00Z',
          },
        ],
      };
      await merged(target, { status });
      assert.equal((await mesh(target)).status, undefined);
      const answer = await merged(target, { status, spec: { encryption: 'none' } }, `${MESH}/status`);
      assert.equal(answer.status, 200, answer.message);
      const { spec, status: written } = await mesh(target);
      assert.deepEqual(written, status);
      assert.equal((spec as Written).encryption, 'wireguard');
      const wrong = await merged(target, { status: { nodes: { total: -1 } } }, `${MESH}/status`);
      assert.match(wrong.message, /status\.nodes\.total/);
    });

    it('is listed with what a person asks first', async () => {
      const [header = '', row = ''] = (await kubectl(server, 'get', 'em')).split('\n');
      assert.deepEqual(header.split(/\s+/).filter(Boolean), [
        'NAME',
        'ENCRYPTION',
        'MODE',
        'GENERATION',
        'NODES',
        'DRIVER',
        'AGE',
      ]);
      assert.match(row, /^default\s+wireguard\s+6\s+2\/3\s+/);
      assert.match(await kubectl(server, 'get', 'mesh', '-o', 'wide'), /READY/);
    });
  });

  it('is explained by kubectl', async () => {
    const spec = await kubectl(server, 'explain', 'encryptionmesh.spec');
    for (const text of [
      'What is wished',
      'Default: permissive.',
      'clusterPrefixes',
      'strict mode needs them',
    ])
      assert.ok(spec.includes(text), `${text} is not in\n${spec}`);
    const port = await kubectl(server, 'explain', 'encryptionmesh.spec.wireguard.port');
    assert.match(port, /FIELD: port <integer>[\s\S]*Default: 51830\./);
    const drain = await kubectl(server, 'explain', 'em.spec.rotation.drain');
    assert.match(drain, /Silence on a superseded generation[\s\S]*Default: 180s\./);
    const all = await kubectl(server, 'explain', 'encryptionmesh', '--recursive');
    for (const field of ['matchExpressions', 'passOver', 'podRulePriority', 'lastTransitionTime'])
      assert.ok(all.includes(field), field);
  });
});

/** Why the agent would not go by it, what it only has not learned yet left aside. */
function refusedByAgent(spec: Written): string | undefined {
  try {
    resolveConfig([resourceLayer(parseMesh({ metadata: { name: 'default' }, spec }))]);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof OperatorError);
    return error.code === 'NOT_IMPLEMENTED' ? undefined : error.message;
  }
}

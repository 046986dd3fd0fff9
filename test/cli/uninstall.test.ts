import assert from 'node:assert/strict';
import { covering } from '../../cli/rollout/propose.ts';
import { prefix } from '../mesh/fixtures.ts';
import { Puppets } from './puppets.ts';
import { sheath } from './run.ts';
import { IDLE, ON, Scene } from './scene.ts';

describe('uninstall and version', () => {
  let scene: Scene;
  afterEach(() => scene.end());

  it('takes everything back, the annotations too', async () => {
    scene = await Scene.set(ON);
    await scene.puppets.setSpec({ encryption: 'wireguard' });
    scene.follow(async (spec) => spec.encryption === 'none' && scene.all(IDLE));
    const { out, code, err } = await scene.run('uninstall', '--yes');
    assert.equal(code, 0, err);
    assert.match(out, /^(uninstalled|nothing of Sheath was left)/);
    await assert.rejects(scene.puppets.spec());
    const { agents } = JSON.parse((await scene.run('version', '-o', 'json')).out);
    assert.deepEqual(
      agents,
      ['n1', 'n2', 'n3'].map((node) => ({ node, version: null })),
    );
  });

  it('deletes nothing while somebody takes part, unless it is forced', async () => {
    scene = await Scene.set(ON);
    await scene.puppets.setSpec({ encryption: 'wireguard' });
    const { out, code } = await scene.run('uninstall', '--yes', '--timeout', '1s');
    assert.match(out, /nothing was deleted; --force/);
    assert.equal(code, 1);
    assert.equal((await scene.puppets.spec()).encryption, 'none');
    const forced = await scene.run('uninstall', '--yes', '--force', '--timeout', '1s');
    assert.equal(forced.code, 0, forced.err);
    await assert.rejects(scene.puppets.spec());
  });

  it('shows the version of every agent', async () => {
    scene = await Scene.set();
    const { out, code } = await scene.run('version');
    assert.match(out, /^sheath \d[^\n]*\nNODE {2}AGENT\nn1 {4}0\.1\.0\n/);
    assert.equal(code, 0);
  });
});

describe('a cluster without Sheath', () => {
  it('is told how to install it', async () => {
    const puppets = await Puppets.start({ encryptionMeshes: false });
    try {
      const { err, code } = await sheath(['enable', '--kubeconfig', puppets.kubeconfig]);
      assert.match(
        err,
        /does not know the resource EncryptionMesh: .*sheath manifests \| kubectl apply -f -/,
      );
      assert.equal(code, 1);
    } finally {
      await puppets.close();
    }
  });

  it('that does not answer is 3', async () => {
    const puppets = await Puppets.start();
    await puppets.closeServer();
    try {
      const { code, err } = await sheath(['rotate', '--kubeconfig', puppets.kubeconfig]);
      assert.equal(code, 3, err);
    } finally {
      await puppets.close();
    }
  });
});

describe('the ranges that are proposed', () => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [[], []],
    [['10.244.0.0/24', '10.244.7.0/24'], ['10.244.0.0/16']],
    [
      ['10.244.0.0/24', '10.245.7.0/24', 'fd00:10:244::/64', 'fd00:10:244:1::/64'],
      ['10.244.0.0/14', 'fd00:10:244::/56'],
    ],
    [
      ['10.0.0.0/24', '172.16.0.0/24'],
      ['10.0.0.0/24', '172.16.0.0/24'],
    ],
  ];
  for (const [seen, expected] of cases)
    it(`${seen.join(', ') || 'none'} are in ${expected.join(', ') || 'none'}`, () =>
      assert.deepEqual(covering(seen.map(prefix)), expected));
});

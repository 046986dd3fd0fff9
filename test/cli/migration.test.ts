/** From WireGuard to IPsec and back, as `sheath enable --encryption` does it. */
import assert from 'node:assert/strict';
import type { Puppet } from './puppets.ts';
import { IDLE, ON, Scene } from './scene.ts';

const BOTH: Puppet = { generations: [1, 2], ipsec: [2], sending: [1, 2] };
const MOVED: Puppet = { generations: [2], ipsec: [2], sending: [2] };
const NO_CHARON = 'ipsec: no charon; install strongSwan';

describe('enable --encryption', () => {
  let scene: Scene;
  afterEach(() => scene.end());

  const begin = async (all: Puppet = ON, spec: object = {}) => {
    scene = await Scene.set(all);
    await scene.puppets.setSpec({ encryption: 'wireguard', generation: 1, ...spec });
  };
  const move = () =>
    scene.follow(async ({ encryption, generation }) => {
      if (encryption !== 'ipsec' || generation !== 2) return;
      for (const step of [BOTH, { ...BOTH, sending: [2] }, MOVED]) await scene.all(step);
    });

  it('writes the driver and the next generation in one, and waits as for a rotation', async () => {
    await begin();
    const seen: unknown[] = [];
    scene.follow(async (spec) => {
      seen.push([spec.encryption, spec.generation]);
      if (spec.encryption !== 'ipsec') return;
      await scene.all(BOTH);
      await new Promise((resolve) => setTimeout(resolve, 1200));
      await scene.all(MOVED);
    });
    const { out, err, code } = await scene.run('enable', '--encryption', 'ipsec', '--wait');
    assert.equal(code, 0, err);
    assert.match(out, /^moved to ipsec, generation 2: 3 Nodes, the old keys are withdrawn/);
    assert.match(err, /generation 1 \(wireguard\) to 2 \(ipsec\)\n {2}published .*3\/3/);
    assert.deepEqual(
      seen.filter((pair, at) => JSON.stringify(pair) !== JSON.stringify(seen[at - 1])),
      [
        ['wireguard', 1],
        ['ipsec', 2],
      ],
    );
  });

  it('does nothing when called twice, and goes on waiting', async () => {
    await begin();
    const first = await scene.run('enable', '--encryption', 'ipsec');
    assert.match(first.out, /^moving to ipsec, generation 2; .*--wait/);
    await scene.all(BOTH);
    const late = await scene.run('enable', '--encryption', 'ipsec', '--wait', '--timeout', '1s');
    assert.match(late.out, /^NOT yet moved to ipsec, generation 2: 0 of 3 Nodes; it goes on in the cluster/);
    assert.equal(late.code, 1);
    await scene.all(MOVED);
    const again = await scene.run('enable', '--encryption', 'ipsec', '--wait', '-o', 'json');
    const { changed, reached } = JSON.parse(again.out);
    assert.deepEqual([changed, reached], [{}, true]);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'ipsec', generation: 2 });
  });

  it('two at the same moment are one', async () => {
    await begin();
    move();
    const argv = ['enable', '--encryption', 'ipsec', '--wait'];
    const both = await Promise.all([scene.run(...argv), scene.run(...argv)]);
    assert.deepEqual(
      both.map(({ code }) => code),
      [0, 0],
      both.map(({ err }) => err).join(),
    );
    assert.equal((await scene.puppets.spec()).generation, 2);
  });

  it('goes back the same way', async () => {
    await begin(MOVED, { encryption: 'ipsec', generation: 2 });
    scene.follow(async ({ generation }) => generation === 3 && scene.all({ generations: [3], sending: [3] }));
    const { out, code, err } = await scene.run('enable', '--encryption', 'wireguard', '--wait');
    assert.equal(code, 0, err);
    assert.match(out, /^(moved to wireguard, generation 3: 3 Nodes|encrypted: 3 of 3)/);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'wireguard', generation: 3 });
  });

  it('is kept as it is by whoever changes something else', async () => {
    await begin(MOVED, { encryption: 'ipsec', generation: 2 });
    const { out, code } = await scene.run('enable', '--scope', 'nodes', '--wait');
    assert.match(out, /^encrypted: 3 of 3 Nodes/);
    assert.equal(code, 0);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'ipsec', generation: 2, scope: 'nodes' });
  });

  it('shows what it would write, and who cannot', async () => {
    await begin();
    await scene.puppets.says('n3', { ...ON, cannot: [NO_CHARON] });
    const { out } = await scene.run('enable', '--encryption', 'ipsec', '--dry-run');
    assert.match(out, /^would change {"encryption":"ipsec","generation":2} for 3 of 3 Nodes/);
    assert.match(out, /n3: cannot do ipsec: no charon/);
    const refused = await scene.run('enable', '--encryption', 'ipsec');
    assert.match(refused.err, /nothing was changed: n3 cannot do ipsec: no charon; .*--allow-partial/);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'wireguard', generation: 1 });
  });

  it('with --allow-partial ends when only those are left that cannot, and names them', async () => {
    await begin();
    await scene.puppets.says('n3', { ...ON, cannot: [NO_CHARON] });
    const argv = ['enable', '--encryption', 'ipsec', '--allow-partial', '--wait'];
    const late = await scene.run(...argv, '--timeout', '1s');
    assert.equal(late.code, 1);
    assert.match(late.out, /^NOT yet moved .*n1: has no key of generation 2 yet/s);
    for (const name of ['n1', 'n2']) await scene.puppets.says(name, BOTH);
    const { out, code } = await scene.run(...argv);
    assert.equal(code, 0);
    assert.match(
      out,
      /^moved to ipsec, generation 2: 2 of 3 Nodes; with the others they stay on 1 \(wireguard\), encrypted/,
    );
    assert.match(out, /n3: cannot do ipsec: no charon/);
    const without = await scene.run('enable', '--encryption', 'ipsec', '--wait', '--timeout', '1s');
    assert.match(without.err, /n3 cannot do ipsec/);
  });

  it('is not kept from other changes by a node that has it, and could not now', async () => {
    await begin(MOVED, { encryption: 'ipsec', generation: 2 });
    await scene.puppets.says('n3', { ...MOVED, cannot: [NO_CHARON] });
    const { out, code } = await scene.run('enable', '--scope', 'nodes', '--wait');
    assert.equal(code, 0);
    assert.match(out, /^encrypted: 3 of 3 Nodes.*\n {2}n3: cannot do ipsec: no charon/);
  });

  it('waits no longer when nobody is left but who cannot', async () => {
    await begin();
    const cannot = ['ipsec: charon 5.9.8 does not know ke1_mlkem768; install strongSwan 6'];
    scene.follow(async ({ encryption }) => encryption === 'ipsec' && scene.all({ ...ON, cannot }));
    const argv = ['enable', '--encryption', 'ipsec', '--ipsec-profile', 'post-quantum', '--wait'];
    const { out, code } = await scene.run(...argv);
    assert.match(
      out,
      /^NOT yet moved to ipsec, generation 2: 0 of 3 Nodes.*\n {2}n1: cannot do ipsec: charon/,
    );
    assert.equal(code, 1);
  }).timeout(60_000);

  it('begins nothing while a rotation is under way, and says who holds it up', async () => {
    await begin({ generations: [1, 2], sending: [2] }, { generation: 2 });
    for (const more of [[], ['--dry-run']]) {
      const { err, code } = await scene.run('enable', '--encryption', 'ipsec', ...more);
      assert.match(err, /a rotation is still under way: n1 keeps the older key/);
      assert.equal(code, 1);
    }
    const waiting = scene.run('enable', '--encryption', 'ipsec', '--wait');
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal((await scene.puppets.spec()).encryption, 'wireguard');
    await scene.all({ generations: [2], sending: [2] });
    scene.follow(
      async ({ generation }) => generation === 3 && scene.all({ generations: [3], ipsec: [3], sending: [3] }),
    );
    const { out, err, code } = await waiting;
    assert.equal(code, 0, err);
    assert.match(err, /waiting for its end first/);
    assert.match(out, /^(moved to ipsec, generation 3|encrypted)/);
  });

  it('shuts the doors after the move', async () => {
    await begin(ON, { clusterPrefixes: ['10.244.0.0/16'] });
    const modes: unknown[] = [];
    scene.follow(async ({ encryption, mode }) => {
      modes.push([encryption, mode]);
      if (encryption !== 'ipsec') return;
      await scene.all({ ...MOVED, mode: mode === 'strict' ? 'strict' : 'permissive' });
    });
    const argv = ['enable', '--encryption', 'ipsec', '--strict', '--yes', '--wait'];
    const { out, err, code } = await scene.run(...argv);
    assert.equal(code, 0, err);
    assert.match(out, /^encrypted: 3 of 3 Nodes, doors shut/);
    assert.deepEqual(modes, [
      ['wireguard', undefined],
      ['ipsec', 'permissive'],
      ['ipsec', 'strict'],
    ]);
  });

  it('begins a cluster with it', async () => {
    scene = await Scene.set();
    scene.follow((spec) =>
      spec.encryption === 'ipsec'
        ? scene.all({ generations: [1], ipsec: [1], sending: [1] })
        : scene.all(IDLE),
    );
    const argv = ['enable', '--encryption', 'ipsec', '--ipsec-profile', 'fips', '--wait'];
    const { out, code, err } = await scene.run(...argv);
    assert.equal(code, 0, err);
    assert.match(out, /^encrypted: 3 of 3 Nodes/);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'ipsec', ipsec: { profile: 'fips' } });
  });

  it('takes a generation of its own where keys of the other driver are still held', async () => {
    await begin(ON, { encryption: 'none' });
    await scene.run('enable', '--encryption', 'ipsec');
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'ipsec', generation: 2 });
  });

  describe('the settings of IPsec', () => {
    const ipsec = ['--encryption', 'ipsec'];

    it('go with it alone, and are looked at first', async () => {
      await begin();
      const wrong: readonly (readonly [readonly string[], RegExp])[] = [
        [['--ipsec-profile', 'fips'], /--ipsec-profile goes with --encryption ipsec only/],
        [[...ipsec, '--ipsec-profile', 'rot13'], /rot13/],
        [[...ipsec, '--ipsec-lifetime', '1s'], /--ipsec-lifetime: /],
      ];
      for (const [argv, message] of wrong) {
        const { err, code } = await scene.run('enable', ...argv);
        assert.match(err, message);
        assert.equal(code, 2);
      }
      assert.deepEqual(await scene.puppets.spec(), { encryption: 'wireguard', generation: 1 });
    });

    it('are not in force on whoever says that it cannot follow them', async () => {
      await begin(MOVED, { encryption: 'ipsec', generation: 2 });
      scene.follow(async ({ ipsec: chosen }) => {
        if (chosen === undefined) return;
        await new Promise((resolve) => setTimeout(resolve, 1000));
        await scene.puppets.says('n2', {
          ...MOVED,
          cannot: ['ipsec: charon 5.9.8 does not know ke1_mlkem768'],
        });
      });
      const { out, code } = await scene.run('enable', '--ipsec-profile', 'post-quantum', '--wait');
      assert.match(
        out,
        /^NOT all as asked: 1 of 3 Nodes cannot, .*\n {2}n2: cannot do ipsec: charon 5\.9\.8/,
      );
      assert.equal(code, 1);
    });

    it('are changed one by one; a profile takes lists away that would win over it', async () => {
      const lists = { ikeProposals: ['aes256gcm16-prfsha384-ecp384'], espProposals: ['aes256gcm16-ecp384'] };
      await begin(MOVED, { encryption: 'ipsec', generation: 2, ipsec: { ...lists, lifetime: '2h' } });
      const { out } = await scene.run('enable', '--ipsec-profile', 'fips', '-o', 'json');
      assert.deepEqual(JSON.parse(out).changed, {
        ipsec: { ikeProposals: null, espProposals: null, profile: 'fips' },
      });
      assert.deepEqual((await scene.puppets.spec()).ipsec, { profile: 'fips', lifetime: '2h' });
      const again = await scene.run(
        'enable',
        '--ipsec-profile',
        'fips',
        '--ipsec-lifetime',
        '2h',
        '-o',
        'json',
      );
      assert.deepEqual(JSON.parse(again.out).changed, {});
    });
  });
});

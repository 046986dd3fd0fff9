import assert from 'node:assert/strict';
import { sheath } from './run.ts';
import { IDLE, ON, Scene } from './scene.ts';

describe('enable, rotate and disable', () => {
  let scene: Scene;
  afterEach(() => scene.end());

  it('make the resource where there is none, wait, and tell', async () => {
    scene = (await Scene.set()).follow((spec) =>
      spec.encryption === 'wireguard' ? scene.all(ON) : scene.all(IDLE),
    );
    const { out, err, code } = await scene.run('enable', '--wait');
    assert.match(out, /^encrypted: 3 of 3 Nodes/);
    assert.equal(code, 0, err);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'wireguard' });
    const again = await scene.run('enable', '--wait', '-o', 'json');
    assert.deepEqual(JSON.parse(again.out).changed, {});
  });

  it('name who is not encrypted in time, and end with 1', async () => {
    scene = await Scene.set(ON);
    await scene.puppets.says('n2', { generations: [1], sending: [0, 1] });
    const { out, err, code } = await scene.run('enable', '--wait', '--timeout', '1s');
    assert.match(out, /^NOT all encrypted: 2 of 3 Nodes/);
    assert.match(out, /n2: still sends in clear .*sheath\s+peers --cluster n2/s);
    assert.match(err, /2\/3 encrypted/);
    assert.equal(code, 1);
  });

  it('change nothing when a node cannot, unless that is allowed', async () => {
    scene = await Scene.set();
    await scene.puppets.says('n3', { ...IDLE, cannot: ['wireguard: UDP port 51830 is taken'] });
    const refused = await scene.run('enable');
    assert.match(
      refused.err,
      /nothing was changed: n3 cannot do wireguard: UDP port 51830 is taken; .*--allow-partial/,
    );
    assert.equal(refused.code, 1);
    await assert.rejects(scene.puppets.spec());
    scene.follow(async () => {
      await scene.puppets.says('n1', ON);
      await scene.puppets.says('n2', ON);
    });
    const allowed = await scene.run('enable', '--allow-partial', '--wait');
    assert.match(allowed.out, /^encrypted: 2 of 2 Nodes[\s\S]*n3: cannot do wireguard/);
    assert.equal(allowed.code, 0);
  });

  it('take a wave of nodes, and widen it', async () => {
    scene = await Scene.set();
    await scene.puppets.addNode('n4', { pool: 'blue' });
    await scene.puppets.says('n4', ON);
    const none = await scene.run('enable', '--nodes', 'pool=green');
    assert.match(none.err, /no Node is selected by --nodes pool=green/);
    const { out, code } = await scene.run('enable', '--nodes', 'pool=blue', '--wait');
    assert.match(out, /^encrypted: 1 of 1 Nodes/);
    assert.equal(code, 0);
    assert.deepEqual(await scene.puppets.spec(), {
      encryption: 'wireguard',
      nodeSelector: { matchLabels: { pool: 'blue' } },
    });
    await scene.all(ON);
    const wide = await scene.run('enable', '--nodes', 'all', '--wait');
    assert.match(wide.out, /^encrypted: 4 of 4 Nodes/);
    assert.deepEqual(await scene.puppets.spec(), {
      encryption: 'wireguard',
      nodeSelector: { matchLabels: {} },
    });
  });

  it('take no empty or wrong selector for every node', async () => {
    scene = await Scene.set();
    for (const nodes of ['', ' ', 'a=b=c', 'blue']) {
      const { err, code } = await scene.run('enable', '--nodes', nodes, '--yes');
      assert.match(err, /expected labels like pool=blue,tier=web, or all/);
      assert.equal(code, 2);
    }
    await assert.rejects(scene.puppets.spec());
  });

  it('ask before a narrower selector sends nodes back into clear', async () => {
    scene = await Scene.set(ON);
    await scene.puppets.addNode('n4', { pool: 'blue' });
    await scene.puppets.says('n4', ON);
    await scene.puppets.setSpec({ encryption: 'wireguard' });
    const dry = await scene.run('enable', '--nodes', 'pool=blue', '--dry-run');
    assert.match(dry.out, /for 1 of 4 Nodes, and leave out n1, n2, n3; nothing was changed/);
    const { err, code } = await scene.run('enable', '--nodes', 'pool=blue');
    assert.match(err, /3 Nodes that are encrypted now would be left out \(n1, n2, n3\).*--yes/);
    assert.equal(code, 2);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'wireguard' });
    assert.equal((await scene.run('enable', '--nodes', 'pool=blue', '--yes', '--wait')).code, 0);
  });

  it('shut no door before nobody sends in clear any more', async () => {
    scene = await Scene.set();
    const modes: unknown[] = [];
    scene.follow(async (spec) => {
      if (spec.encryption !== 'wireguard') return;
      modes.push(spec.mode);
      await scene.all({ ...ON, mode: spec.mode === 'strict' ? 'strict' : 'permissive' });
    });
    const without = await scene.run('enable', '--strict', '--yes');
    assert.match(without.err, /--strict needs the ranges .* --cluster-prefixes 10\.244\.0\.0\/16/);
    assert.equal(without.code, 2);
    const { out, code, err } = await scene.run(
      'enable',
      '--strict',
      '--yes',
      '--wait',
      '--cluster-prefixes',
      '10.244.0.0/16',
    );
    assert.equal(code, 0, err);
    assert.match(out, /^encrypted: 3 of 3 Nodes, doors shut/);
    assert.deepEqual(modes, ['permissive', 'strict']);
  });

  it('does not change the scope behind shut doors', async () => {
    scene = await Scene.set({ ...ON, mode: 'strict' });
    const spec = { encryption: 'wireguard', mode: 'strict', clusterPrefixes: ['10.244.0.0/16'] };
    await scene.puppets.setSpec(spec);
    const { err, code } = await scene.run('enable', '--scope', 'nodes', '--yes');
    assert.match(err, /sheath enable --permissive --scope nodes --wait, then sheath enable --strict/);
    assert.equal(code, 1);
    assert.deepEqual(await scene.puppets.spec(), spec);
  });

  it('ask before a door is shut or opened, and want somebody to ask', async () => {
    scene = await Scene.set(ON);
    const { err, code } = await scene.run('enable', '--strict', '--cluster-prefixes', '10.244.0.0/16');
    assert.match(err, /will be dropped.*give --yes/);
    assert.equal(code, 2);
    assert.match(
      (await scene.run('disable')).err,
      /What 3 Nodes exchange will cross the wire in clear.*--yes/,
    );
  });

  it('change nothing on a dry run', async () => {
    scene = await Scene.set();
    const { out, code } = await scene.run('enable', '--dry-run');
    assert.match(out, /^would change {"encryption":"wireguard"} for 3 of 3 Nodes; nothing was changed/);
    assert.equal(code, 0);
    await assert.rejects(scene.puppets.spec());
  });

  it('rotate by one, and wait until the old keys are gone', async () => {
    scene = await Scene.set(ON);
    await scene.puppets.setSpec({ encryption: 'wireguard' });
    scene.follow(async (spec) => {
      if (spec.generation !== 2) return;
      await scene.all({ generations: [1, 2], sending: [1, 2] });
      await scene.all({ generations: [1, 2], sending: [2] });
      await scene.all({ generations: [2], sending: [2] });
    });
    const { out, code, err } = await scene.run('rotate', '--wait');
    assert.equal(code, 0, err);
    assert.match(out, /^rotated to generation 2: 3 Nodes, the old keys are withdrawn/);
  });

  it('are one rotation after the other when called twice', async () => {
    scene = await Scene.set({ generations: [1, 2], sending: [2] });
    await scene.puppets.setSpec({ encryption: 'wireguard', generation: 2 });
    const refused = await scene.run('rotate');
    assert.match(refused.err, /a rotation is still under way: n1 keeps the older key .*--pass-over NODE/);
    assert.equal(refused.code, 1);
    const late = await scene.run('rotate', '--wait', '--timeout', '1s');
    assert.equal(late.code, 1);
    assert.equal((await scene.puppets.spec()).generation, 2);
    const waiting = scene.run('rotate', '--wait', '--timeout', '20s');
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal((await scene.puppets.spec()).generation, 2);
    await scene.all({ generations: [2], sending: [2] });
    scene.follow(async (spec) => spec.generation === 3 && scene.all({ generations: [3], sending: [3] }));
    assert.match((await waiting).out, /^rotated to generation 3/);
  });

  it('two at the same moment raise it once each', async () => {
    scene = await Scene.set(ON);
    await scene.puppets.setSpec({ encryption: 'wireguard' });
    scene.follow(async (spec) => {
      const generation = Number(spec.generation ?? 1);
      await scene.all({ generations: [generation], sending: [generation] });
    });
    const both = await Promise.all([scene.run('rotate', '--wait'), scene.run('rotate', '--wait')]);
    assert.deepEqual(
      both.map(({ code }) => code),
      [0, 0],
      both.map(({ err }) => err).join(),
    );
    assert.equal((await scene.puppets.spec()).generation, 3);
  });

  it('pass over a dead node by name', async () => {
    scene = await Scene.set({ generations: [2], sending: [2] });
    await scene.puppets.says('n3', ON);
    await scene.puppets.setSpec({ encryption: 'wireguard', generation: 2 });
    assert.match((await scene.run('rotate', '--pass-over', 'n9')).err, /there is no such Node/);
    scene.follow(async (spec) => {
      if (spec.generation !== 3) return;
      for (const name of ['n1', 'n2']) await scene.puppets.says(name, { generations: [3], sending: [3] });
    });
    const { out, code, err } = await scene.run('rotate', '--pass-over', 'n3', '--wait');
    assert.equal(code, 0, err);
    assert.match(out, /^rotated to generation 3: 2 Nodes/);
    assert.deepEqual((await scene.puppets.spec()).rotation, { passOver: ['n3'] });
  });

  it('go on with the rotation that a dead node holds up, and begin no other', async () => {
    scene = await Scene.set({ generations: [1, 2], sending: [1, 2] });
    await scene.puppets.says('n3', ON);
    await scene.puppets.setSpec({ encryption: 'wireguard', generation: 2, rotation: { drain: '5s' } });
    const held = await scene.run('rotate');
    assert.match(held.err, /n3 has no key of generation 2 yet: is n3 up/);
    scene.follow(async (spec) => {
      if (JSON.stringify(spec.rotation)?.includes('n3') !== true) return;
      for (const name of ['n1', 'n2']) await scene.puppets.says(name, { generations: [2], sending: [2] });
    });
    const { out, code, err } = await scene.run('rotate', '--pass-over', 'n3', '--wait');
    assert.equal(code, 0, err);
    assert.match(out, /^rotated to generation 2: 2 Nodes.*; not counted: n3 \(spec.rotation.passOver\)/);
    const { generation, rotation } = await scene.puppets.spec();
    assert.deepEqual([generation, rotation], [2, { drain: '5s', passOver: ['n3'] }]);
  });

  it('pass over a node that holds up switching off, and count all again', async () => {
    scene = await Scene.set();
    await scene.puppets.says('n3', ON);
    await scene.puppets.setSpec({ encryption: 'none', generation: 2 });
    const passOver = async () => {
      const passed = await scene.run('rotate', '--pass-over', 'n3');
      assert.match(passed.out, /^encryption is off, so no keys are changed; not counted: n3/);
      assert.equal(passed.code, 0);
    };
    const waits = await scene.run('disable', '--wait', '--timeout', '1s');
    assert.match(waits.out, /^NOT all off: 1 of 3 Nodes .*'sheath rotate --pass-over n3'/);
    await passOver();
    const off = await scene.run('disable', '--wait', '--timeout', '1s');
    assert.match(off.out, /^off: no Node of 2 holds keys; not counted: n3/);
    assert.equal(off.code, 0);
    assert.equal((await scene.run('rotate', '--pass-over', 'none')).code, 0);
    assert.deepEqual(await scene.puppets.spec(), { encryption: 'none', generation: 2, rotation: {} });
    assert.equal((await scene.run('disable', '--wait', '--timeout', '1s')).code, 1);
  });

  it('say what goes on when somebody stops to wait', async () => {
    scene = await Scene.set({ generations: [1, 2], sending: [1, 2] });
    await scene.puppets.setSpec({ encryption: 'wireguard', generation: 2 });
    const argv = ['--kubeconfig', scene.puppets.kubeconfig, '--wait'];
    const stop = () => ({ signal: AbortSignal.timeout(700) });
    const rotate = await sheath(['rotate', ...argv], stop());
    assert.match(
      rotate.err,
      /the rotation to generation 2 goes on .*'sheath rotate' again would be one more/,
    );
    assert.equal(rotate.code, 1);
    await scene.puppets.says('n1', { generations: [1, 2], sending: [0, 1, 2] });
    const enable = await sheath(['enable', ...argv], stop());
    assert.match(enable.err, /what was begun goes on in the cluster: .* the same command again/);
    assert.equal((await scene.puppets.spec()).generation, 2);
  });

  it('do not rotate what is off', async () => {
    scene = await Scene.set();
    await scene.puppets.setSpec({ encryption: 'none' });
    const { err, code } = await scene.run('rotate');
    assert.match(err, /encryption is off/);
    assert.equal(code, 1);
  });

  it('switch off, out of strict mode too, and wait for every node', async () => {
    scene = await Scene.set({ ...ON, mode: 'strict' });
    await scene.puppets.setSpec({
      encryption: 'wireguard',
      mode: 'strict',
      clusterPrefixes: ['10.244.0.0/16'],
    });
    scene.follow(async (spec) => spec.encryption === 'none' && scene.all(IDLE));
    const { out, code, err } = await scene.run('disable', '--yes', '--wait');
    assert.equal(code, 0, err);
    assert.match(out, /^off: no Node of 3 holds keys/);
    assert.equal((await scene.puppets.spec()).mode, 'permissive');
    const again = await scene.run('disable', '--yes');
    assert.equal(again.code, 0);
  });
});

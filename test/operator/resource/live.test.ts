import assert from 'node:assert/strict';
import type { Layer } from '../../../operator/config/load.ts';
import { loadLayers } from '../../../operator/config/load.ts';
import { LayeredConfig } from '../../../operator/resource/live.ts';

const FACTS = { version: '9', cannot: [] };

function resource(spec: object, generation = 1, more: object = {}): object {
  return { metadata: { name: 'default', uid: 'u1', generation, ...more }, spec };
}

interface Setting {
  readonly flags?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

async function layered({ flags = {}, labels = {} }: Setting = {}): Promise<LayeredConfig> {
  const layers: readonly Layer[] = await loadLayers({ flags, environment: {} });
  return new LayeredConfig({ layers, facts: () => FACTS, labels: () => labels });
}

function take(config: LayeredConfig, object: object): boolean {
  const good = config.check(object);
  if (good !== undefined) config.follow(good);
  return good !== undefined;
}

describe('the configuration that an agent follows', () => {
  it('has the resource behind the flags and before the defaults, and says so', async () => {
    const config = await layered({ flags: { mtu: '1300' } });
    take(config, resource({ encryption: 'wireguard', mtu: 1400, wireguard: { port: 7 } }, 12));
    const { mesh, view } = config.live().config;
    assert.deepEqual([mesh.encryption, mesh.mtu, mesh.wireguard.port], ['wireguard', 1300, 7]);
    assert.deepEqual(view.mtu, { value: 1300, source: 'flag', name: '--mtu' });
    assert.deepEqual(view['wireguard.port'], {
      value: 7,
      source: 'resource',
      name: 'encryptionmesh/default, generation 12',
    });
    assert.equal(config.live().facts.observedGeneration, 12);
  });

  it('is the same object until something changed', async () => {
    const config = await layered();
    const before = config.live();
    assert.equal(config.live(), before);
    take(config, resource({ mtu: 1400 }));
    const after = config.live();
    assert.notEqual(after, before);
    assert.equal(config.live(), after);
  });

  it('stays as it was when what comes cannot be followed, and says why and what to do', async () => {
    const config = await layered();
    take(config, resource({ encryption: 'wireguard', generation: 3 }, 6));
    for (const [spec, code, message] of [
      [{ mtu: 5, generation: 4 }, 'CONFIG_INVALID', /spec\.mtu: expected 1280 or more, got 5/],
      [
        { encryption: 'wireguard', mode: 'strict' },
        'CONFIG_INVALID',
        /clusterPrefixes \[\] \(default\) must not be empty/,
      ],
      [
        { wireguard: { threadedNapi: 'on' } },
        'NOT_IMPLEMENTED',
        /wireguard\.threadedNapi "on" \(encryptionmesh\/default, generation 7\)/,
      ],
    ] as const) {
      assert.equal(take(config, resource(spec, 7)), false);
      const [problem] = config.problems;
      assert.equal(problem?.code, code);
      assert.match(problem?.message ?? '', message);
      assert.match(problem?.message ?? '', /its generation 6 stays in force\. Correct it: kubectl edit/);
      assert.deepEqual(config.status, { state: 'refused', observedGeneration: 6, unknownFields: [] });
      assert.equal(config.live().config.mesh.generation, 3);
      assert.equal(config.live().facts.observedGeneration, 6);
      const [said = ''] = config.live().facts.cannot;
      assert.match(said, /^config: the resource is not followed: /);
      assert.match(said, message);
    }
    take(config, resource({ encryption: 'wireguard', generation: 4 }, 8));
    assert.deepEqual([config.problems, config.live().facts.cannot], [[], []]);
    assert.equal(config.live().config.mesh.generation, 4);
  });

  it('refuses a resource that does not go with a flag', async () => {
    const config = await layered({ flags: { routingTable: '7' } });
    assert.equal(take(config, resource({ routing: { podTable: 7 } })), false);
    assert.match(config.problems[0]?.message ?? '', /routing\.table 7 \(--routing-table\)/);
  });

  it('stays as it was when the resource is gone, and says so loudly', async () => {
    const config = await layered();
    take(config, resource({ encryption: 'wireguard' }, 6));
    config.gone();
    assert.equal(config.live().config.mesh.encryption, 'wireguard');
    assert.equal(config.problems[0]?.code, 'RESOURCE_GONE');
    assert.match(config.problems[0]?.message ?? '', /generation 6 stays in force\. Apply it again/);
    assert.equal(config.status.state, 'gone');
  });

  it('has nothing against the end of a resource that wished for nothing, or that never was', async () => {
    const config = await layered();
    config.gone();
    assert.deepEqual([config.problems, config.status.state, config.live().basis], [[], 'absent', 'api']);
    take(config, resource({ encryption: 'none' }));
    config.gone();
    assert.deepEqual([config.problems, config.status.state], [[], 'absent']);
  });

  it('wishes encryption off when the resource is being deleted', async () => {
    const config = await layered();
    const spec = { encryption: 'wireguard', mode: 'permissive', mtu: 1400 };
    take(config, resource(spec, 6));
    take(config, resource(spec, 7, { deletionTimestamp: '2026-11-22T18:00:00Z' }));
    const { mesh } = config.live().config;
    assert.deepEqual([mesh.encryption, mesh.mtu], ['none', 1400]);
    config.gone();
    assert.deepEqual(config.problems, []);
  });

  it('names what a newer version wrote, and goes by the rest', async () => {
    const config = await layered();
    take(config, resource({ encryption: 'wireguard', quantum: true, wireguard: { port: 9, spin: 'up' } }));
    assert.deepEqual(config.status.unknownFields, ['quantum', 'wireguard.spin']);
    assert.equal(config.live().config.mesh.wireguard.port, 9);
    assert.deepEqual(config.problems, []);
  });

  describe('rests on', () => {
    it('nothing, before anybody was heard', async () =>
      assert.equal((await layered()).live().basis, 'nothing'));

    it('what was said here, when encryption was', async () => {
      assert.equal((await layered({ flags: { encryption: 'none' } })).live().basis, 'layers');
      assert.equal((await layered({ flags: { mtu: '1400' } })).live().basis, 'nothing');
    });

    it('the disk, then the API server', async () => {
      const config = await layered();
      assert.equal(config.keptBefore(resource({ encryption: 'wireguard' }, 5)), true);
      assert.deepEqual([config.live().basis, config.status.state], ['disk', 'unknown']);
      assert.equal(config.live().config.mesh.encryption, 'wireguard');
      take(config, resource({ encryption: 'wireguard' }, 6));
      assert.equal(config.live().basis, 'api');
    });

    it('nothing, when what was kept goes with the flags no more; until the API server has one that does', async () => {
      const config = await layered({ flags: { routingTable: '7' } });
      assert.equal(config.keptBefore(resource({ encryption: 'wireguard', routing: { podTable: 7 } })), false);
      assert.equal(config.live().basis, 'nothing');
      assert.equal(config.problems[0]?.code, 'CONFIG_INVALID');
      take(config, resource({ encryption: 'wireguard', routing: { podTable: 6 } }, 2));
      assert.deepEqual([config.live().basis, config.problems], ['api', []]);
    });

    it('the disk still when the resource is not there any more', async () => {
      const config = await layered();
      config.keptBefore(resource({ encryption: 'wireguard' }, 5));
      config.gone();
      assert.deepEqual([config.live().basis, config.status.state], ['disk', 'gone']);
    });
  });

  describe('leaves out a node', () => {
    const spec = { encryption: 'wireguard', mode: 'strict', clusterPrefixes: ['10.244.0.0/16'] };
    const strictable = (config: LayeredConfig, nodeSelector: object) =>
      take(config, resource({ ...spec, mode: 'permissive', nodeSelector }, 2));

    it('whose labels nodeSelector does not select: in clear, with an open door', async () => {
      const config = await layered({ labels: { pool: 'red' } });
      strictable(config, { matchLabels: { pool: 'blue' } });
      const { config: resolved, notSelected, publishFacts } = config.live();
      assert.deepEqual([resolved.mesh.encryption, resolved.mesh.mode], ['none', 'permissive']);
      assert.equal(resolved.spec.encryption, 'wireguard', 'what is wished is shown as it is');
      assert.match(notSelected ?? '', /nodeSelector .*"pool":"blue".*encryptionmesh\/default, generation 2/);
      assert.equal(publishFacts, true);
    });

    it('until its labels or the selector change', async () => {
      const labels: Record<string, string>[] = [{ pool: 'red' }];
      const layers = await loadLayers({ flags: {}, environment: {} });
      const config = new LayeredConfig({
        layers,
        facts: () => FACTS,
        labels: () => labels.at(-1),
      });
      strictable(config, { matchLabels: { pool: 'blue' } });
      assert.equal(config.live().config.mesh.encryption, 'none');
      labels.push({ pool: 'blue' });
      assert.equal(config.live().config.mesh.encryption, 'wireguard');
      labels.push({ pool: 'green' });
      assert.equal(config.live().config.mesh.encryption, 'none');
      strictable(config, { matchExpressions: [{ key: 'pool', operator: 'Exists' }] });
      assert.equal(config.live().config.mesh.encryption, 'wireguard');
      assert.equal(config.live().notSelected, undefined);
    });

    it('only when its labels are known: before, it does not act', async () => {
      const layers = await loadLayers({ flags: {}, environment: {} });
      const config = new LayeredConfig({
        layers,
        facts: () => FACTS,
        labels: () => undefined,
      });
      strictable(config, { matchLabels: { pool: 'blue' } });
      assert.equal(config.live().basis, 'nothing');
      strictable(config, {});
      assert.equal(config.live().basis, 'api');
    });
  });

  it('lets a node speak of itself unless somebody here said none', async () => {
    const facts = async (flags: Record<string, string>, spec?: object) => {
      const config = await layered({ flags });
      if (spec === undefined) config.gone();
      else take(config, resource(spec));
      return config.live().publishFacts;
    };
    assert.equal(await facts({}), true);
    assert.equal(await facts({}, { encryption: 'none' }), true);
    assert.equal(await facts({}, { encryption: 'wireguard' }), true);
    assert.equal(await facts({ encryption: 'none' }, { encryption: 'wireguard' }), false);
    assert.equal(await facts({ encryption: 'wireguard' }, { encryption: 'none' }), true);
  });
});

// kernel suite: kernels newest, memory 3G, timeout 600
/**
 * A version up and a version down beside two of ours, on real parts: agents are replaced under traffic, and keys are rotated with all four,
 * and nothing is lost.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeNamed, startAgent, stopAgent } from '../../lab/nodes/agents.ts';
import { assertNoneLost, type Measured, Mesh } from './mesh/mesh.ts';

const PRELOAD = join(import.meta.dirname, 'upgrades', 'other-version.ts');
const RATE = 50;
const VERSIONS: Readonly<Record<string, string>> = { n3: '0.2.0', n4: '0.0.9' };

describe('versions beside each other', function () {
  this.timeout(180_000);
  const { NODE_OPTIONS } = process.env;
  let mesh: Mesh;

  before(async () => {
    mesh = await Mesh.create({ name: 'versions', nodes: 4, through: 'resource', controller: true });
    await mesh.kubectl('patch', 'crd', 'encryptionmeshes.sheath.dev', '--type=json', '-p', ANYTHING);
    await wish({ encryption: 'wireguard', rotation: { drain: '5s' } });
    await mesh.until(({ state }) => state === 'encrypted');
  });
  after(async () => {
    delete process.env.SHEATH_OTHER_VERSIONS;
    if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = NODE_OPTIONS;
    await mesh?.close();
  });

  it('one agent is replaced by a newer one, and one by an older', async () => {
    process.env.NODE_OPTIONS = `${NODE_OPTIONS ?? ''} --import=${PRELOAD}`;
    process.env.SHEATH_OTHER_VERSIONS = 'n3=newer,n4=older';
    const measured = await losslessly(async () => {
      for (const name of Object.keys(VERSIONS)) {
        await stopAgent(mesh.lab, nodeNamed(mesh.lab, name));
        await startAgent(mesh.lab, nodeNamed(mesh.lab, name));
        await mesh.until(({ state }) => state === 'encrypted', name);
        await written(name, VERSIONS[name] ?? '');
      }
      await sleep(1000);
    });
    assert.deepEqual(measured.wire.clearBetween, []);
    const newer = await annotationsOf('n3');
    assert.match(newer['sheath.dev/generations'] ?? '', /masque/);
    assert.equal(newer['sheath.dev/tomorrow'], '{"relay":true}');
    assert.equal((await annotationsOf('n4'))['sheath.dev/agent'], '{"version":"0.0.9"}');
  });

  it('keys are rotated with both, by a resource that has fields of tomorrow', async () => {
    const measured = await losslessly(async () => {
      await wish({ generation: 2, tomorrow: { relays: ['192.0.2.200'] } });
      await mesh.until(
        ({ state, generations }) =>
          state === 'encrypted' && generations.length === 1 && generations[0]?.number === 2,
      );
    });
    assert.deepEqual(measured.wire.clearBetween, []);
    const { resource, peers, problems } = await mesh.status('n1');
    assert.deepEqual(resource?.unknownFields, ['tomorrow']);
    assert.deepEqual(
      peers.map(({ node, state, generation }) => `${node} ${state} ${generation}`),
      ['n2 routed 2', 'n3 routed 2', 'n4 routed 2'],
    );
    assert.ok(
      problems.every(({ message }) => !message.includes('n4')),
      JSON.stringify(problems),
    );
  });

  async function wish(spec: object): Promise<void> {
    const body = JSON.stringify({ spec });
    await mesh.kubectl('patch', 'encryptionmesh', 'default', '--type=merge', '-p', body);
  }

  async function written(name: string, version: string): Promise<void> {
    while (!(await annotationsOf(name))['sheath.dev/agent']?.includes(version)) await sleep(200);
  }

  async function losslessly(work: () => Promise<void>): Promise<Measured> {
    const measured = await mesh.measure({ rate: RATE }, work);
    assert.ok(measured.traffic.sent > RATE, 'traffic was sent');
    assertNoneLost(measured);
    return measured;
  }

  async function annotationsOf(name: string): Promise<Readonly<Record<string, string>>> {
    const node = JSON.parse(await mesh.kubectl('get', 'node', name, '-o', 'json'));
    return node.metadata.annotations;
  }
});

/** What the resource definition of tomorrow may allow. */
const ANYTHING = JSON.stringify([
  {
    op: 'add',
    path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-preserve-unknown-fields',
    value: true,
  },
]);

/**
 * An agent of this version beside one of the version to come and one of the version before. Both are played: what their Nodes say
 * is written by the test, and their kernel answers whoever has their key.
 */
import assert from 'node:assert/strict';
import { call } from '../../lab/api-client.ts';
import { parseRecord } from '../../mesh/record.ts';
import { rotation } from '../../mesh/rotation-progress.ts';
import { MESH } from '../../operator/config/resource.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { key } from '../mesh/fixtures.ts';
import { annotateNode, getNode } from '../support/nodes.ts';
import { type Agents, until, useAgents } from './agents.ts';
import { FakeKernel } from './fake-kernel.ts';

type Json = Readonly<Record<string, unknown>>;

interface Version {
  readonly agent: Json;
  /** More of each generation than this version writes. */
  readonly more: Json;
  readonly others: readonly Json[];
  readonly annotations: Readonly<Record<string, string>>;
}

const TOMORROW: Version = {
  agent: {
    version: '0.2.0',
    observedGeneration: 1,
    mode: 'permissive',
    cannot: ['masque: no certificate'],
    offers: ['masque'],
    limits: { peers: 5000 },
  },
  more: { postQuantum: { kem: 'ml-kem-768' }, weight: 10 },
  others: [{ generation: 9, driver: 'masque', certificate: 'MIIB', port: 443 }],
  annotations: { 'sheath.dev/tomorrow': '{"relay":true}' },
};

const YESTERDAY: Version = { agent: { version: '0.0.9' }, more: {}, others: [], annotations: {} };

/** On n3. */
class Stranger {
  readonly #lab: Agents;
  readonly #version: Version;

  constructor(lab: Agents, version: Version) {
    this.#lab = lab;
    this.#version = version;
    const kernel = new FakeKernel(lab.network);
    kernel.welcomes = true;
    for (const generation of [1, 2]) kernel.ownKeys.set(generation, key(`n3 ${generation}`));
  }

  async says(held: readonly number[], sending: readonly number[]): Promise<void> {
    const { agent, more, others, annotations } = this.#version;
    const generations = held.map((generation) => ({
      generation,
      driver: 'wireguard',
      publicKey: key(`n3 ${generation}`),
      port: 51830 + (generation % 2),
      ...more,
    }));
    await annotateNode(this.#lab.target, 'n3', {
      'sheath.dev/agent': JSON.stringify(agent),
      'sheath.dev/generations': JSON.stringify([...generations, ...others]),
      'sheath.dev/endpoints': '192.0.2.3',
      'sheath.dev/prefixes': '10.244.3.0/24',
      'sheath.dev/sending': sending.join(','),
      ...annotations,
    });
  }
}

/** n1 and n2, told by the resource, in one mesh with the stranger on n3. */
async function meshWith(lab: Agents, version: Version, spec: Json = {}) {
  const stranger = new Stranger(lab, version);
  await stranger.says([1], [1]);
  await apply(lab, spec);
  const kernels = ['n1', 'n2'].map(() => new FakeKernel(lab.network));
  for (const [i, kernel] of kernels.entries()) await lab.start(`n${i + 1}`, kernel, { encryption: '' });
  for (const name of ['n1', 'n2']) await lab.becomes(name, 'encrypted');
  for (const name of ['n1', 'n2']) await published(lab, name, [1], '1');
  for (const kernel of kernels) kernel.writes.length = 0;
  return { stranger, kernels };
}

async function apply(lab: Agents, spec: Json): Promise<void> {
  await call(lab.target, {
    method: 'PATCH',
    path: `${MESH}?fieldManager=test&force=true`,
    body: {
      apiVersion: 'sheath.dev/v1alpha1',
      kind: 'EncryptionMesh',
      metadata: { name: 'default' },
      spec: { encryption: 'wireguard', rotation: { drain: '5s' }, ...spec },
    },
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
}

const published = (lab: Agents, name: string, held: readonly number[], sending: string) =>
  until(
    `${name} holds ${held}, sends on ${sending}`,
    () => lab.annotations(name),
    ({ 'sheath.dev/generations': generations = '[]', 'sheath.dev/sending': now }) =>
      now === sending &&
      JSON.stringify(held) === JSON.stringify(JSON.parse(generations).map((each: Json) => each.generation)),
  );

const both = (run: (name: string) => Promise<unknown>) => Promise.all(['n1', 'n2'].map(run));

/** `n2 routed 2`. */
const ways = ({ peers }: AgentStatus) =>
  peers.map(({ node, state, generation }) => `${node} ${state} ${generation}`);

const goneRoutes = (kernels: readonly FakeKernel[]) =>
  kernels.flatMap(({ writes }) =>
    writes.filter(({ part, action }) => part === 'route' && action === 'remove').map(({ what }) => what),
  );

/** What `sheath rotate` shows, and the controller writes. */
async function heldUpBy(lab: Agents): Promise<readonly string[]> {
  const nodes = await Promise.all(['n1', 'n2', 'n3'].map((name) => getNode(lab.target, name)));
  const records = nodes.map(({ metadata }) => parseRecord({ ...metadata, uid: '', creationTimestamp: '' }));
  return (rotation({ records, wanted: 2 })?.stragglers ?? []).map(({ node }) => node);
}

describe('an agent beside one of tomorrow', function () {
  this.timeout(60_000);
  const lab = useAgents();

  it('meshes and rotates with it, and leaves alone what it does not know', async () => {
    const { now } = lab;
    await annotateNode(now.target, 'n1', { 'sheath.dev/tomorrow': 'left by a newer agent' });
    const newer = { tomorrow: { relays: ['192.0.2.200'] } };
    const { stranger, kernels } = await meshWith(now, TOMORROW, newer);
    const before = await now.status('n1');
    assert.deepEqual(ways(before), ['n2 routed 1', 'n3 routed 1']);
    assert.deepEqual(before.resource?.unknownFields, ['tomorrow']);
    await apply(now, { ...newer, generation: 2 });
    await both((name) => published(now, name, [1, 2], '1,2'));
    await stranger.says([1, 2], [1, 2]);
    await both((name) => published(now, name, [1, 2], '2'));
    await stranger.says([1, 2], [2]);
    await both((name) => published(now, name, [2], '2'));
    await stranger.says([2], [2]);
    const after = await now.becomes('n1', 'encrypted');
    assert.deepEqual(ways(after), ['n2 routed 2', 'n3 routed 2']);
    assert.deepEqual(goneRoutes(kernels), []);
    assert.equal((await now.annotations('n1'))['sheath.dev/tomorrow'], 'left by a newer agent');
  });
});

describe('an agent beside one of yesterday', function () {
  this.timeout(60_000);
  const lab = useAgents();

  it('keeps the old way to it, names it, and goes on when it is passed over or upgraded', async () => {
    const { now } = lab;
    const { stranger, kernels } = await meshWith(now, YESTERDAY);
    await apply(now, { generation: 2 });
    await both((name) => published(now, name, [1, 2], '1,2'));
    const held = await until(
      'n1 waits for n3 alone',
      () => now.status('n1'),
      ({ waiting }) => waiting?.map(({ node }) => node).join() === 'n3',
    );
    assert.equal(held.state, 'encrypted');
    assert.deepEqual(ways(held), ['n2 routed 2', 'n3 routed 1']);
    assert.equal((await heldUpBy(now))[0], 'n3');
    assert.deepEqual(goneRoutes(kernels), []);
    await apply(now, { generation: 2, rotation: { drain: '5s', passOver: ['n3'] } });
    await both((name) => published(now, name, [2], '2'));
    const without = await now.becomes('n1', 'partial');
    assert.deepEqual(without.waiting, []);
    assert.equal(without.peers[1]?.reason?.code, 'NO_COMMON_GENERATION');
    assert.ok(
      goneRoutes(kernels).every((route) => route.includes('10.244.3.0/24') || route.includes('192.0.2.3')),
    );
    await stranger.says([2], [2]);
    await both((name) => now.becomes(name, 'encrypted'));
  });
});

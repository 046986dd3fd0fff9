/** One bad record of 200, of each kind: nobody else's items in the kernel are touched, and the status names who it is. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { ApiTarget } from '../../lab/api-client.ts';
import type { ProblemCode } from '../../mesh/types.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { key } from '../mesh/fixtures.ts';
import { annotateNode, createNode, deleteNode, listNodes } from '../support/nodes.ts';
import { nodeSpec, until, useAgents } from './agents.ts';
import { badRecords, goodRecord, type Honest, type Scene, toldCodes } from './bad-records.ts';
import { FakeKernel, type FakeNetwork } from './fake-kernel.ts';

const COUNT = 200;
/** Who goes bad. */
const bad = honest(77);

describe('one bad record of 200', () => {
  const lab = useAgents();

  it('of each kind costs nobody else anything, and the status names it', async function () {
    this.timeout(120_000);
    const { network, target } = lab.now;
    const n1 = new FakeKernel(network);
    await deleteNode(target, 'n1');
    await createNode(target, { ...nodeSpec('n1', 1), podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] });
    await lab.now.start('n1', n1);
    const self = await until(
      'n1 has a key',
      () => lab.now.status('n1'),
      ({ generations }) => generations.length > 0,
    );
    for (let i = 1; i <= COUNT; i++) {
      const member = honest(i);
      answer(network, member, self);
      await createNode(target, {
        ...nodeSpec(member.name, i, goodRecord(member)),
        podCIDRs: [member.prefix, member.prefix6],
        addresses: [member.address],
      });
    }
    await allRouted();
    const scene = await sceneOf(target, self);
    const before = others(n1);
    const whole = [...n1.items].sort();

    for (const { name, codes, annotations } of badRecords(scene)) {
      n1.writes.length = 0;
      await annotateNode(target, bad.name, annotations);
      const now = await until(
        `${name} is named`,
        () => lab.now.status('n1'),
        (status) => isDeepStrictEqual(named(status), codes),
      );
      assert.notEqual(now.state, 'plaintext', name);
      assert.deepEqual(
        now.peers.filter(({ node, state }) => isMember(node) && node !== bad.name && state !== 'routed'),
        [],
        `${name}: the others stay routed`,
      );
      await annotateNode(target, bad.name, goodRecord(bad));
      await allRouted();
      assert.deepEqual(others(n1), before, name);
      assert.deepEqual([...n1.items].sort(), whole, `${name}: all is as before`);
      assert.deepEqual(
        n1.writes.map(({ what }) => what).filter((what) => !isOfBad(what)),
        [],
        `${name}: nothing of the others was written`,
      );
    }
  });

  function allRouted(): Promise<AgentStatus> {
    return until(
      'all are routed',
      () => lab.now.status('n1'),
      (status) =>
        named(status).length === 0 &&
        status.peers.filter(({ node, state }) => isMember(node) && state === 'routed').length === COUNT,
    );
  }
});

/** The older and the younger by what a plan goes by when nobody proved itself: the age of the Node, then its uid. */
async function sceneOf(target: ApiTarget, { generations: [ours] }: AgentStatus): Promise<Scene> {
  const names = (await listNodes(target))
    .map(({ metadata }) => ({ ...metadata, age: `${metadata.creationTimestamp} ${metadata.uid}` }))
    .filter(({ name }) => isMember(name) && name !== bad.name)
    .sort((a, b) => (a.age < b.age ? -1 : 1))
    .map(({ name }) => name);
  return {
    self: {
      ...{ name: 'n1', generation: 1, driver: 'wireguard', publicKey: ours?.publicKey ?? '', port: 51831 },
      ...{ prefix: '10.244.1.0/24', prefix6: 'fd00:10:244:1::/64', address: '192.0.2.1' },
    },
    own: bad,
    older: honest(Number(names[0]?.slice(1))),
    younger: honest(Number(names.at(-1)?.slice(1))),
    around: '10.100.0.0/16',
  };
}

function isMember(node: string): boolean {
  return node.startsWith('m');
}

/** The codes under which the status speaks of the bad one. */
function named({ refused, peers }: AgentStatus): readonly ProblemCode[] {
  const reason = peers.find(({ node, state }) => node === bad.name && state !== 'routed')?.reason?.code;
  const refusals = refused.filter(({ node }) => node === bad.name).map(({ code }) => code);
  return toldCodes(reason === undefined ? refusals : [...refusals, reason]);
}

function others(kernel: FakeKernel): readonly string[] {
  return [...kernel.items].filter((item) => !isOfBad(item)).sort();
}

function isOfBad(item: string): boolean {
  const { name, prefix, prefix6, address } = bad;
  return (
    item.startsWith(`peer ${name} `) || [prefix, prefix6, `${address}/32`].some((of) => item.includes(of))
  );
}

/** A node that answers this agent, without an agent of its own. */
function answer(network: FakeNetwork, { name }: Honest, self: AgentStatus): void {
  const kernel = new FakeKernel(network);
  kernel.ownKeys.set(1, key(name));
  const [generation] = self.generations;
  assert.ok(generation);
  kernel.peers.set(generation.publicKey, { generation: 1, device: 'sheath1', since: Date.now() });
}

function honest(i: number): Honest {
  const name = `m${i}`;
  return {
    ...{ name, generation: 1, driver: 'wireguard', publicKey: key(name), port: 51831 },
    ...{ prefix: `10.100.${i}.0/24`, prefix6: `fd00:100:${i.toString(16)}::/64`, address: `172.20.0.${i}` },
  };
}

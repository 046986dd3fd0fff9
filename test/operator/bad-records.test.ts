/** One bad record of 200, of each kind: nobody else's items in the kernel are touched, and the status names who it is. */
import assert from 'node:assert/strict';
import type { ApiTarget } from '../../lab/api-client.ts';
import type { ProblemCode } from '../../mesh/types.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { generationsText, key } from '../mesh/fixtures.ts';
import { annotateNode, createNode, listNodes } from '../support/nodes.ts';
import { nodeSpec, until, useAgents } from './agents.ts';
import { FakeKernel, type FakeNetwork } from './fake-kernel.ts';

const G = 'sheath.dev/generations';
const E = 'sheath.dev/endpoints';
const P = 'sheath.dev/prefixes';
const COUNT = 200;
/** Who goes bad. */
const BAD = 'm77';
const own = prefixOf(77);

interface Ages {
  readonly oldest: string;
  readonly youngest: string;
}

interface Kind {
  readonly name: string;
  readonly codes: readonly ProblemCode[];
  readonly record: (self: AgentStatus, others: Ages) => Readonly<Record<string, string>>;
}

const kinds: readonly Kind[] = [
  {
    name: 'the key of an older Node',
    codes: ['KEY_CLAIMED'],
    record: (_, { oldest }) => ({ [G]: generationsText(oldest, 1) }),
  },
  {
    name: 'the key of a younger Node',
    codes: ['KEY_CLAIMED'],
    record: (_, { youngest }) => ({ [G]: generationsText(youngest, 1) }),
  },
  {
    name: 'our own key',
    codes: ['KEY_OWN'],
    record: ({ generations }) => ({ [G]: generation(generations[0]?.publicKey ?? '') }),
  },
  { name: 'a zero key', codes: ['KEY_INVALID'], record: () => ({ [G]: generation(`${'A'.repeat(43)}=`) }) },
  {
    name: 'a low-order key',
    codes: ['KEY_INVALID'],
    record: () => ({ [G]: generation(`AQ${'A'.repeat(41)}=`) }),
  },
  {
    name: 'the prefix of another',
    codes: ['PREFIX_CLAIMED'],
    record: () => ({ [P]: `${own},${prefixOf(50)}` }),
  },
  {
    name: 'a prefix inside that of another',
    codes: ['PREFIX_CLAIMED'],
    record: () => ({ [P]: `${own},10.100.50.128/25` }),
  },
  {
    name: 'a prefix around that of another',
    codes: ['PREFIX_CLAIMED'],
    record: () => ({ [P]: `${own},10.100.50.0/23` }),
  },
  {
    name: 'a prefix around all others',
    codes: ['PREFIX_CLAIMED'],
    record: () => ({ [P]: `${own},10.100.0.0/16` }),
  },
  { name: 'everything', codes: ['PREFIX_INVALID'], record: () => ({ [P]: `${own},0.0.0.0/0,::/0` }) },
  { name: 'our own prefix', codes: ['PREFIX_OWN'], record: () => ({ [P]: `${own},10.244.1.0/24` }) },
  {
    name: 'the address of another',
    codes: ['ENDPOINT_CLAIMED'],
    record: () => ({ [E]: addressOf(50) }),
  },
  { name: 'our own address', codes: ['ENDPOINT_OWN'], record: () => ({ [E]: '192.0.2.1' }) },
  { name: '10,000 prefixes', codes: ['RECORD_TOO_LARGE'], record: () => ({ [P]: manyPrefixes() }) },
  {
    name: 'a JSON bomb',
    codes: ['RECORD_TOO_LARGE'],
    record: () => ({ [G]: `${'['.repeat(20_000)}${']'.repeat(20_000)}` }),
  },
  {
    name: 'a small JSON bomb',
    codes: ['RECORD_MALFORMED'],
    record: () => ({ [G]: `${'['.repeat(2000)}${']'.repeat(2000)}` }),
  },
  {
    name: 'no JSON and no addresses',
    codes: ['RECORD_MALFORMED', 'ENDPOINT_INVALID', 'PREFIX_INVALID'],
    record: () => ({ [G]: 'not JSON', [E]: 'nowhere', [P]: '10.1/8' }),
  },
];

describe('one bad record of 200', () => {
  const lab = useAgents();

  it('of each kind costs nobody else anything, and the status names it', async function () {
    this.timeout(120_000);
    const { network, target } = lab.now;
    const n1 = new FakeKernel(network);
    await lab.now.start('n1', n1);
    const self = await until(
      'n1 has a key',
      () => lab.now.status('n1'),
      ({ generations }) => generations.length > 0,
    );
    for (let i = 1; i <= COUNT; i++) {
      answer(network, `m${i}`, self);
      await createNode(target, {
        ...nodeSpec(`m${i}`, i, good(i)),
        podCIDRs: [prefixOf(i)],
        addresses: [addressOf(i)],
      });
    }
    await allRouted();
    const ages = await agesOf(target);
    const before = others(n1);
    const whole = [...n1.items].sort();

    for (const { name, codes, record } of kinds) {
      n1.writes.length = 0;
      await annotateNode(target, BAD, record(self, ages));
      const now = await until(
        `${name} is named`,
        () => lab.now.status('n1'),
        (status) => codes.every((code) => named(status).includes(code)),
      );
      assert.notEqual(now.state, 'plaintext', name);
      assert.deepEqual(
        now.peers.filter(({ node, state }) => isMember(node) && node !== BAD && state !== 'routed'),
        [],
        `${name}: the others stay routed`,
      );
      await annotateNode(target, BAD, good(77));
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

/** By what a plan goes by when nobody proved itself: the age of the Node, then its uid. */
async function agesOf(target: ApiTarget): Promise<Ages> {
  const names = (await listNodes(target))
    .map(({ metadata }) => ({ ...metadata, age: `${metadata.creationTimestamp} ${metadata.uid}` }))
    .filter(({ name }) => isMember(name) && name !== BAD)
    .sort((a, b) => (a.age < b.age ? -1 : 1))
    .map(({ name }) => name);
  return { oldest: names[0] ?? '', youngest: names.at(-1) ?? '' };
}

function isMember(node: string): boolean {
  return node.startsWith('m');
}

/** The codes under which the status speaks of the bad one. */
function named({ refused, peers }: AgentStatus): readonly string[] {
  const reason = peers.find(({ node, state }) => node === BAD && state === 'refused')?.reason?.code;
  const refusals = refused.filter(({ node }) => node === BAD).map(({ code }) => code);
  return reason === undefined ? refusals : [...refusals, reason];
}

function others(kernel: FakeKernel): readonly string[] {
  return [...kernel.items].filter((item) => !isOfBad(item)).sort();
}

function isOfBad(item: string): boolean {
  return item.startsWith(`peer ${BAD} `) || item.includes(own) || item.includes(`${addressOf(77)}/32`);
}

/** A node that answers this agent, without an agent of its own. */
function answer(network: FakeNetwork, name: string, self: AgentStatus): void {
  const kernel = new FakeKernel(network);
  kernel.ownKey = key(`${name} 1`);
  const [generation] = self.generations;
  assert.ok(generation);
  kernel.peers.set(generation.publicKey, { generation: 1, device: 'sheath1', since: Date.now() });
}

function good(i: number): Readonly<Record<string, string>> {
  return { [G]: generationsText(`m${i}`, 1), [E]: addressOf(i), [P]: prefixOf(i), 'sheath.dev/sending': '1' };
}

function generation(publicKey: string): string {
  return JSON.stringify([{ generation: 1, driver: 'wireguard', publicKey, port: 51831 }]);
}

function prefixOf(i: number): string {
  return `10.100.${i}.0/24`;
}

function addressOf(i: number): string {
  return `172.20.0.${i}`;
}

function manyPrefixes(): string {
  return Array.from({ length: 10_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`).join(',');
}

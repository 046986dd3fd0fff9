import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { AgentStatus } from '../../operator/status.ts';
import { type FakeNode, startFakeApi } from './fake-api.ts';
import { MINUTE, NOW, peer, status } from './fixtures.ts';
import { type Ran, sheath } from './run.ts';

/** 32 bytes that are some point on the curve, another for each number. */
function key(number: number): string {
  return Buffer.alloc(32, number).toString('base64');
}

function annotations(number: number, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    'sheath.dev/generations': `[{"generation":1,"driver":"wireguard","publicKey":"${key(number)}","port":51831}]`,
    'sheath.dev/endpoints': `192.0.2.${10 + number}`,
    'sheath.dev/prefixes': `10.244.${number}.0/24`,
    'sheath.dev/sending': '1',
    'sheath.dev/agent': '{"version":"0.1.0","mode":"permissive","cannot":[]}',
    ...more,
  };
}

function agentOf(node: string, others: readonly string[]): AgentStatus {
  return status({ node, peers: others.map((other) => peer(other)) });
}

const WELL: readonly FakeNode[] = [
  { name: 'n1', annotations: annotations(1), agent: agentOf('n1', ['n2', 'n3']) },
  { name: 'n2', annotations: annotations(2), agent: agentOf('n2', ['n1', 'n3']) },
  { name: 'n3', annotations: annotations(3), agent: agentOf('n3', ['n1', 'n2']) },
];

async function ask(nodes: readonly FakeNode[], ...argv: readonly string[]): Promise<Ran> {
  const api = await startFakeApi(nodes);
  try {
    return await sheath([...argv, '--kubeconfig', api.kubeconfig]);
  } finally {
    await api.close();
  }
}

/** The three of `WELL`, one of them replaced. */
function withNode(node: FakeNode): readonly FakeNode[] {
  return [...WELL.filter(({ name }) => name !== node.name), node];
}

describe('status of the cluster', () => {
  it('is 0 when every agent says that all is encrypted', async () => {
    const { out, err, code } = await ask(WELL, 'status');
    assert.equal(out, 'Encrypted: all 3 Nodes, each to every other\n');
    assert.equal(err, '');
    assert.equal(code, 0);
  });

  it('tells how far a rotation is, from the records alone, and who holds it up', async () => {
    const both = `[${[1, 2].map((n) => `{"generation":${n},"driver":"wireguard","publicKey":"${key(n)}","port":51830}`)}]`;
    const rotating = annotations(2, { 'sheath.dev/generations': both, 'sheath.dev/sending': '1,2' });
    const nodes = withNode({ name: 'n2', annotations: rotating, agent: agentOf('n2', ['n1', 'n3']) });
    const api = await startFakeApi(nodes, { spec: { generation: 2 } });
    const { out } = await sheath(['status', '--kubeconfig', api.kubeconfig]).finally(() => void api.close());
    assert.match(
      out.replace(/\s+/g, ' '),
      /note: rotates from generation 1 to 2: of 3 Nodes 1 published, 0 switched, 0 withdrawn; n1: has no key of generation 2 yet: is n1 up, and its agent running\?; and 2 more/,
    );
  });

  it('judges claims by the ranges that the EncryptionMesh names', async () => {
    const n3 = annotations(3, { 'sheath.dev/prefixes': '10.99.3.0/24' });
    const nodes = withNode({ name: 'n3', annotations: n3, agent: agentOf('n3', ['n1', 'n2']) });
    assert.doesNotMatch((await ask(nodes, 'status')).out, /refused/);
    const api = await startFakeApi(nodes, { spec: { clusterPrefixes: ['10.244.0.0/16'] } });
    try {
      const { out } = await sheath(['status', '--kubeconfig', api.kubeconfig]);
      assert.match(out, /n3: refused: 10\.99\.3\.0\/24 is outside of clusterPrefixes/);
    } finally {
      await api.close();
    }
  });

  it('says that the admission policy is absent, which is no fault of the mesh', async () => {
    const api = await startFakeApi(WELL, { guarded: false });
    try {
      const { out, code } = await sheath(['status', '--kubeconfig', api.kubeconfig]);
      assert.match(
        out,
        /^Encrypted: all 3 Nodes, each to every other\n {2}note: the admission policy sheath-nodes is not/,
      );
      assert.equal(code, 0);
    } finally {
      await api.close();
    }
  });

  it('looks for the agents where it is told', async () => {
    const { out, code } = await ask(WELL, 'status', '--namespace', 'elsewhere');
    assert.match(out, /n1: published its keys, but the pods in elsewhere cannot be listed/);
    assert.equal(code, 3);
  });

  it('names the node that is not, with its reasons', async () => {
    const silent = { code: 'NO_ANSWER', message: 'n1 does not answer; see that UDP 51831 is reachable' };
    const n3 = status({
      node: 'n3',
      state: 'partial',
      since: NOW - 2 * MINUTE,
      peers: [peer('n1', { state: 'degraded', since: NOW - 2 * MINUTE, reason: silent }), peer('n2')],
    });
    const { out, code } = await ask(
      withNode({ name: 'n3', annotations: annotations(3), agent: n3 }),
      'status',
    );
    assert.equal(
      out,
      `\
NOT all encrypted: 2 of 3 Nodes
  NOT all encrypted: n3 to 1 of 2 peers, wireguard generation 1, permissive, for
      2m
  n3: n1: degraded for 2m: n1 does not answer; see that UDP 51831 is reachable
      (NO_ANSWER)
`,
    );
    assert.equal(code, 1);
  });

  it('shows nodes that nobody could ask as such', async () => {
    const nodes = withNode({ name: 'n3', annotations: annotations(3), agent: 'silent' });
    const { out, code } = await ask([...nodes, { name: 'n4' }], 'status');
    assert.match(out, /^NOT all encrypted: 2 of 4 Nodes, 2 could not be asked$/m);
    assert.match(out, /^ {2}n3: published its keys, but its agent agent-n3 does not answer: /m);
    assert.match(out, /^ {2}n4: published no key, and no agent's pod in sheath-system runs there$/m);
    assert.equal(code, 1);
  });

  it('is 3 when no agent could be asked: what the Nodes say is told, and proves nothing', async () => {
    const { out, code } = await ask(
      WELL.map(({ name, annotations }) => (annotations === undefined ? { name } : { name, annotations })),
      'status',
    );
    assert.match(
      out,
      /^Encrypted, as the Nodes say: all 3 Nodes send nothing in clear .*; no agent could be asked$/m,
    );
    assert.equal(code, 3);
  });

  it('names a refused claim once, whoever refuses it', async () => {
    const n3 = { ...annotations(3), 'sheath.dev/prefixes': '10.244.2.0/24' };
    const { out, code } = await ask(
      withNode({ name: 'n3', annotations: n3, agent: agentOf('n3', ['n1', 'n2']) }),
      'status',
    );
    assert.equal(out.match(/PREFIX_CLAIMED/g)?.length, 1, out);
    assert.equal(code, 1);

    const refused = [{ node: 'n3', uid: 'u3', code: 'PREFIX_CLAIMED', message: 'as n2' }];
    const n1 = status({ node: 'n1', peers: [peer('n2'), peer('n3')], refused });
    const told = await ask(
      [
        { name: 'n1', annotations: annotations(1), agent: n1 },
        ...WELL.filter(({ name }) => name === 'n2'),
        { name: 'n3', annotations: n3, agent: agentOf('n3', ['n1', 'n2']) },
      ],
      'status',
    );
    assert.equal(told.out, out);
    assert.equal(told.code, 1);
  });

  it('lists every node with -o wide, and all that is known with -o json', async () => {
    const wide = await ask(WELL, 'status', '-o', 'wide');
    assert.match(
      wide.out,
      /^NODE {2}STATE {6}SINCE {2}PEERS {2}GENERATIONS {2}ENDPOINTS {3}PREFIXES {7}AGENT$/m,
    );
    assert.match(
      wide.out,
      /^n2 {4}encrypted {4}12m {6}2 {2}1 wireguard {2}192\.0\.2\.12 {2}10\.244\.2\.0\/24 {2}0\.1\.0$/m,
    );
    const { nodes, refused } = JSON.parse((await ask(WELL, 'status', '-o', 'json')).out);
    assert.deepEqual(refused, []);
    assert.deepEqual(Object.keys(nodes[0]), ['node', 'record', 'agent']);
    assert.equal(nodes[1].record.generations[0].publicKey, key(2));
  });

  it('shows the settings of every node with --config', async () => {
    const { out } = await ask(withNode({ name: 'n3', agent: 'silent' }), 'status', '--config');
    assert.match(out, /^n1\nSETTING +VALUE +FROM\nencryption +wireguard +flag --encryption$/m);
    assert.match(out, /^n3\nits agent agent-n3 does not answer/m);
  });
});

describe('agents that answer oddly', () => {
  const deep = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
  const odd: readonly (readonly [string, unknown])[] = [
    ['a peer whose name is a number', { ...agentOf('n3', []), peers: [{ node: 1 }] }],
    ['a state that there is not', { ...agentOf('n3', []), state: 'well' }],
    ['nothing of it', {}],
    ['a list', []],
    [
      'a setting as deep as the sea',
      { ...agentOf('n3', []), config: { mtu: { value: deep(9), source: 'x' } } },
    ],
  ];
  for (const [name, raw] of odd) {
    it(`hide nobody else: ${name}`, async () => {
      const nodes = withNode({ name: 'n3', annotations: annotations(3), agent: { raw } });
      const { out, code } = await ask(nodes, 'status');
      assert.match(out, /^NOT all encrypted: 2 of 3 Nodes, 1 could not be asked$/m);
      assert.match(
        out.replace(/\s+/g, ' '),
        /n3: published its keys, but agent-n3 answers, but not as an agent does/,
      );
      assert.equal(code, 1);
    });
  }

  it("fill nobody's memory: a bomb of gzip is cut", async () => {
    const raw = gzipSync(`{"node":"${'x'.repeat(20 * 1024 * 1024)}"}`);
    const nodes = withNode({ name: 'n3', annotations: annotations(3), agent: { raw } });
    const { out } = await ask(nodes, 'status');
    assert.match(out.replace(/\s+/g, ' '), /the answer has 16777216 bytes or more/);
  });

  it('cannot speak for another Node', async () => {
    const nodes = withNode({ name: 'n3', annotations: annotations(3), agent: agentOf('n1', []) });
    const { out } = await ask(nodes, 'status');
    assert.match(out.replace(/\s+/g, ' '), /agent-n3 answers as the agent of n1, not of n3/);
  });

  it('may be newer: fields that we do not know are left out', async () => {
    const raw = { ...agentOf('n3', ['n1', 'n2']), colour: 'blue' };
    const { out, code } = await ask(
      withNode({ name: 'n3', annotations: annotations(3), agent: { raw } }),
      'status',
      '-o',
      'json',
    );
    assert.deepEqual(JSON.parse(out).nodes[2].agent.status, agentOf('n3', ['n1', 'n2']));
    assert.equal(code, 0);
  });

  it('refuse others in their own name only', async () => {
    const refused = [{ node: 'n1', uid: 'u1', code: 'KEY_CLAIMED', message: 'is a thief' }];
    const n3 = { ...agentOf('n3', ['n1', 'n2']), refused } as const;
    const nodes = withNode({ name: 'n3', annotations: annotations(3), agent: { raw: n3 } });
    const { out, code } = await ask(nodes, 'status');
    assert.match(out, /^ {2}n3: n1: refused: is a thief \(KEY_CLAIMED\)$/m);
    assert.equal(out.match(/thief/g)?.length, 1);
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse((await ask(nodes, 'status', '-o', 'json')).out).refused, []);
  });
});

describe('peers of the cluster', () => {
  it('shows each as each sees it', async () => {
    const { out, code } = await ask(WELL, 'peers');
    assert.match(out, /^NODE {2}PEER {2}STATE /);
    assert.equal(out.trim().split('\n').length, 1 + 6);
    assert.equal(code, 0);
  });

  it('shows only what concerns one node: it as the others see it, and they as it does', async () => {
    const { out } = await ask(WELL, 'peers', 'n2');
    assert.deepEqual(
      out
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.slice(0, 8)),
      ['n1    n2', 'n2    n1', 'n2    n3', 'n3    n2'],
    );
  });

  it('shows the peers that a silent node would have, as unknown', async () => {
    const { out, code } = await ask(
      withNode({ name: 'n3', annotations: annotations(3), agent: 'silent' }),
      'peers',
      'n3',
    );
    assert.match(out, /^n3 {4}n1 {4}unknown +0s +192\.0\.2\.11/m);
    assert.equal(code, 1);
  });

  it('knows which Nodes there are', async () => {
    const { err, code } = await ask(WELL, 'peers', 'n7');
    assert.equal(err, 'sheath: no such Node: n7; there are n1, n2, n3\n');
    assert.equal(code, 2);
  });
});

describe('plan of the cluster', () => {
  it('shows what each node would hold of the others, whoever answers', async () => {
    const { out, code } = await ask(WELL, 'plan');
    assert.match(
      out,
      /^n1 to 2 peers, wireguard\n {2}n2 {2}192\.0\.2\.12 generation 1 {2}10\.244\.2\.0\/24\n {2}n3 {2}192/m,
    );
    assert.match(out, /^n3 to 2 peers/m);
    assert.equal(code, 0);
  });

  it('says when nobody published a key', async () => {
    assert.equal((await ask([{ name: 'n1' }], 'plan')).out, 'no Node published a key: nothing to plan\n');
  });
});

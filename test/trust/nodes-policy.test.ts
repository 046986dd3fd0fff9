import assert from 'node:assert/strict';
import { call, send } from '../../lab/api-client.ts';
import { getNode } from '../../lab/node-objects.ts';
import { CONTROLLER } from '../../operator/manifests/names.ts';
import { AGENT, type ApiAnswer, type ApiTarget, annotate, messageOf, patch, useCluster } from './cluster.ts';

const KEY = 'hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=';
const GENERATIONS = `[{"generation":1,"driver":"wireguard","publicKey":"${KEY}","port":51831}]`;
const GOOD = {
  'sheath.dev/generations': GENERATIONS,
  'sheath.dev/endpoints': '192.0.2.11,2001:db8::11',
  'sheath.dev/prefixes': '10.244.1.0/24,fd00:10:244:1::/64',
  'sheath.dev/sending': '0,1',
  'sheath.dev/agent':
    '{"version":"9.9.9","observedGeneration":3,"mode":"strict","cannot":["ipsec: no charon"]}',
};

function refused(answer: ApiAnswer, expected: RegExp): void {
  assert.ok(answer.status === 403 || answer.status === 422, `HTTP ${answer.status} ${answer.bytes}`);
  assert.match(messageOf(answer), expected);
}

describe('who may write what on Nodes, as a real API server sees it', function () {
  this.timeout(60_000);
  const cluster = useCluster();
  let agent: ApiTarget;

  before(async () => {
    const { current } = cluster;
    await current.install();
    await annotate(current.admin, 'n1', { 'example.org/theirs': 'yes' });
    agent = current.as(await current.tokenOf(AGENT, 'n1'));
    await current.untilGuarded((text) =>
      annotate(current.kubelet('n1'), 'n1', { 'sheath.dev/sending': text }),
    );
  });

  const tokens: readonly (readonly [string, () => Promise<ApiTarget>])[] = [
    ['of another Node', async () => cluster.current.as(await cluster.current.tokenOf(AGENT, 'n2'))],
    ['of a pod on no Node', async () => cluster.current.as(await cluster.current.tokenOf(AGENT, undefined))],
    ['bound to no pod', async () => cluster.current.as(await cluster.current.unboundTokenOf(AGENT))],
  ];
  for (const [name, open] of tokens) {
    it(`refuses an agent's token ${name}`, async () => {
      refused(
        await annotate(await open(), 'n1', { 'sheath.dev/sending': '77' }),
        /sending of Node n1 is changed only by the agent of that Node|its own Node/,
      );
    });
  }

  it('takes what the agent of the Node says, and takes it back', async () => {
    assert.equal((await annotate(agent, 'n1', GOOD)).status, 200);
    const gone = Object.fromEntries(Object.keys(GOOD).map((key) => [key, null]));
    assert.equal((await annotate(agent, 'n1', gone)).status, 200);
  });

  const elsewhere: readonly (readonly [string, string, object])[] = [
    [
      'annotations of another Node',
      '/api/v1/nodes/n2',
      { metadata: { annotations: { 'sheath.dev/sending': '1' } } },
    ],
    ['foreign annotations of another Node', '/api/v1/nodes/n2', { metadata: { annotations: { a: 'b' } } }],
    ['a label of its Node', '/api/v1/nodes/n1', { metadata: { labels: { pool: 'red' } } }],
    [
      'a label, beside what it may',
      '/api/v1/nodes/n1',
      { metadata: { labels: { a: 'b' }, annotations: GOOD } },
    ],
    ['a foreign annotation', '/api/v1/nodes/n1', { metadata: { annotations: { 'example.org/a': 'b' } } }],
    [
      'an annotation that only looks like ours',
      '/api/v1/nodes/n1',
      { metadata: { annotations: { 'sheath.dev': 'b' } } },
    ],
    ['all annotations at once', '/api/v1/nodes/n1', { metadata: { annotations: null } }],
    ['a label of another Node', '/api/v1/nodes/n2', { metadata: { labels: { pool: 'red' } } }],
    ['a taint', '/api/v1/nodes/n1', { spec: { taints: [{ key: 'a', effect: 'NoExecute' }] } }],
    ['whether pods are scheduled', '/api/v1/nodes/n1', { spec: { unschedulable: true } }],
    ['a finalizer', '/api/v1/nodes/n1', { metadata: { finalizers: ['example.org/a'] } }],
    [
      'an owner',
      '/api/v1/nodes/n1',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n2', uid: 'u' }] } },
    ],
    [
      'the status',
      '/api/v1/nodes/n1/status',
      { status: { addresses: [{ type: 'InternalIP', address: '8.8.8.8' }] } },
    ],
    ['its annotations by way of the status', '/api/v1/nodes/n1/status', { metadata: { annotations: GOOD } }],
  ];
  for (const [what, path, body] of elsewhere) {
    it(`lets an agent not change ${what}`, async () => {
      const before = await getNode(cluster.current.admin, path.includes('n2') ? 'n2' : 'n1');
      refused(await patch(agent, path, body), /agent|cannot patch resource/);
      const after = await getNode(cluster.current.admin, before.metadata.name);
      assert.equal(after.metadata.resourceVersion, before.metadata.resourceVersion);
    });
  }

  it('lets an agent make no Node, nor remove one', async () => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n4', annotations: GOOD } };
    refused(await send(agent, { method: 'POST', path: '/api/v1/nodes', body: node }), /cannot create/);
    refused(await send(agent, { method: 'DELETE', path: '/api/v1/nodes/n2' }), /cannot delete/);
    const applied = await send(agent, {
      method: 'PATCH',
      path: '/api/v1/nodes/n4?fieldManager=sheath-agent&force=true',
      body: node,
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    refused(applied, /cannot create/);
  });

  const values: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'the prefix of another Node',
      'prefixes',
      '10.244.2.0/24',
      /10\.244\.2\.0\/24 is not inside the Node's podCIDRs/,
    ],
    ['a part of the prefix of another', 'prefixes', '10.244.1.0/24,10.244.3.7/32', /10\.244\.3\.7\/32/],
    ['more than its own prefix', 'prefixes', '10.244.0.0/16', /10\.244\.0\.0\/16/],
    ['everything', 'prefixes', '0.0.0.0/0', /0\.0\.0\.0\/0/],
    ['everything in IPv6', 'prefixes', '::/0', /::\/0/],
    ['the IPv6 prefix of another', 'prefixes', 'fd00:10:244:2::/64', /fd00:10:244:2/],
    ['a prefix with host bits', 'prefixes', '10.244.1.7/24', /no host bits/],
    ['text for a prefix', 'prefixes', 'all', /all is no prefix/],
    ['an empty item', 'prefixes', '10.244.1.0/24,', /is no prefix/],
    [
      'more prefixes than are read',
      'prefixes',
      Array(1025).fill('10.244.1.0/24').join(','),
      /at most 16 endpoints and 1024/,
    ],
    ['a megabyte of one', 'prefixes', '1'.repeat(65_537), /larger than agents read/],
    ['the address of another Node', 'endpoints', '192.0.2.12', /192\.0\.2\.12 is not among/],
    ['a stranger as endpoint', 'endpoints', '192.0.2.11,8.8.8.8', /8\.8\.8\.8 is not among/],
    ['an IPv6 stranger', 'endpoints', '2001:db8::12', /2001:db8::12 is not among/],
    ['an address that is written in another way', 'endpoints', '2001:DB8::11', /is not among/],
    ['its name as endpoint', 'endpoints', 'n1', /n1 is not among/],
    ['a port with the endpoint', 'endpoints', '192.0.2.11:51830', /is not among/],
    ['generations that are no JSON', 'generations', '{', /generations must look like/],
    [
      'a key that is too short',
      'generations',
      GENERATIONS.replace(KEY, 'AAAA'),
      /generations must look like/,
    ],
    ['no key', 'generations', '[{"generation":1,"driver":"wireguard"}]', /generations must look like/],
    ['generation 0', 'generations', GENERATIONS.replace(':1,', ':0,'), /generations must look like/],
    ['markup', 'generations', '<b>', /generations must look like/],
    ['large generations', 'generations', ' '.repeat(4097), /larger than agents read/],
    ['words in sending', 'sending', 'all', /sending must look like/],
    ['a negative generation', 'sending', '-1', /sending must look like/],
    ['an agent that is no object', 'agent', '[]', /agent must look like/],
    ['much in an annotation of tomorrow', 'tomorrow', 'x'.repeat(4097), /larger than agents read/],
  ];
  for (const [what, name, value, expected] of values) {
    it(`lets an agent not claim ${what}`, async () => {
      refused(await annotate(agent, 'n1', { [`sheath.dev/${name}`]: value }), expected);
    });
  }

  const tolerated: readonly (readonly [string, string, string])[] = [
    ['nothing to send on', 'sending', ''],
    ['no generation', 'generations', '[]'],
    [
      'a field and a driver of tomorrow',
      'generations',
      `[{"generation":2,"driver":"quic-2","publicKey":"${KEY}","since":"2030","ports":[1,2],"deep":null},${GENERATIONS.slice(1)}`,
    ],
    ['a part of its own prefix', 'prefixes', '10.244.1.128/25,10.244.1.5/32'],
    [
      'as many prefixes as are read',
      'prefixes',
      Array.from({ length: 1024 }, (_, i) => `fd00:10:244:1::${i.toString(16)}/128`).join(','),
    ],
    ['one address', 'endpoints', '2001:db8::11'],
    ['an annotation of tomorrow', 'tomorrow', 'anything'],
    [
      'text with quotation marks',
      'agent',
      JSON.stringify({ version: '1', cannot: ['wireguard: "no" \\ such', 'ä\n'] }),
    ],
  ];
  for (const [what, name, value] of tolerated) {
    it(`lets an agent say ${what}`, async () => {
      const answer = await annotate(agent, 'n1', { [`sheath.dev/${name}`]: value });
      assert.equal(answer.status, 200, messageOf(answer));
    });
  }

  it('judges a Node as large as they come', async () => {
    const images = Array.from({ length: 100 }, (_, i) => ({
      names: Array.from(
        { length: 5 },
        (_, j) => `registry.example/team/app-${i}-${j}@sha256:${'a'.repeat(64)}`,
      ),
      sizeBytes: 1e9,
    }));
    await patch(cluster.current.admin, '/api/v1/nodes/n1/status', { status: { images } });
    const labels = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`example.org/label-${i}`, 'x'.repeat(60)]),
    );
    await patch(cluster.current.admin, '/api/v1/nodes/n1', { metadata: { labels, annotations: labels } });
    const answer = await annotate(agent, 'n1', { ...GOOD, 'sheath.dev/sending': '8,9' });
    assert.equal(answer.status, 200, messageOf(answer));
  });

  const others: readonly (readonly [string, () => ApiTarget | Promise<ApiTarget>])[] = [
    ['the kubelet of that Node', () => cluster.current.kubelet('n1')],
    ['the kubelet of another Node', () => cluster.current.kubelet('n2')],
    ['the controller', async () => cluster.current.as(await cluster.current.tokenOf(CONTROLLER, 'n1'))],
  ];
  for (const [who, open] of others) {
    it(`lets ${who} not change our annotations`, async () => {
      const target = await open();
      for (const path of ['/api/v1/nodes/n1', '/api/v1/nodes/n1/status'])
        refused(
          await patch(target, path, { metadata: { annotations: { 'sheath.dev/sending': '7' } } }),
          /sheath\.dev\/sending of Node n1|cannot patch|not allowed to modify/,
        );
    });
  }

  it('lets kubelets register and report as ever, but not with annotations of ours', async () => {
    const kubelet = cluster.current.kubelet('n9');
    const register = (annotations: object) =>
      send(kubelet, {
        method: 'POST',
        path: '/api/v1/nodes',
        body: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n9', annotations } },
      });
    refused(await register(GOOD), /sheath\.dev\/\w+ of Node n9 is changed only by/);
    assert.equal((await register({ 'example.org/a': 'b' })).status, 201);
    const report = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
    assert.equal((await patch(kubelet, '/api/v1/nodes/n9/status', report)).status, 200);
    assert.equal((await annotate(kubelet, 'n9', { 'example.org/a': 'c' })).status, 200);
  });

  it('knows administrators by what they may do, not by their name', async () => {
    const { admin } = cluster.current;
    assert.equal((await annotate(admin, 'n3', { 'sheath.dev/generations': 'rubbish' })).status, 200);
    const cloud = cluster.current.as('cloud-token');
    const role = (name: string, rules: object[]) => [
      { path: '/apis/rbac.authorization.k8s.io/v1/clusterroles', body: { metadata: { name }, rules } },
      {
        path: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
        body: {
          metadata: { name },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'cloud-controller' }],
        },
      },
    ];
    const nodes = { apiGroups: [''], resources: ['nodes'], verbs: ['patch'] };
    for (const each of role('test-nodes', [nodes])) await call(admin, { method: 'POST', ...each });
    await cluster.current.untilGuarded((text) => annotate(cloud, 'n3', { 'sheath.dev/sending': text }));
    refused(
      await annotate(cloud, 'n3', { 'sheath.dev/sending': '1' }),
      /not by cloud-controller|cannot patch/,
    );
    const mesh = { apiGroups: ['sheath.dev'], resources: ['encryptionmeshes'], verbs: ['administer'] };
    for (const each of role('test-mesh', [mesh])) await call(admin, { method: 'POST', ...each });
    for (let tries = 0; ; tries++) {
      const { status } = await annotate(cloud, 'n3', { 'sheath.dev/sending': '1' });
      if (status === 200) break;
      assert.ok(tries < 50, `still HTTP ${status}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
});

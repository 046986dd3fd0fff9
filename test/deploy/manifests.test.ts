import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { AGENT_LABELS, AGENT_PORT, NAMESPACE } from '../../cli/sources/deployment.ts';
import { sheath } from '../cli/run.ts';
import { at, find, listAt, type Manifest, printed } from './objects.ts';

const FILE = new URL('../../deploy/sheath.yaml', import.meta.url);

describe('sheath manifests', () => {
  let all: readonly Manifest[];
  before(async () => {
    all = await printed('--cronjob', '0 3 1 * *', '--strict', '--cluster-prefixes', '10.244.0.0/16');
  });

  it('prints what deploy/sheath.yaml holds: npm run manifests writes it anew', async () => {
    const { out, code } = await sheath(['manifests']);
    assert.equal(code, 0);
    assert.equal(await readFile(FILE, 'utf8'), out);
  });

  it('prints YAML of which every document is an object, the same as in JSON', async () => {
    const { out } = await sheath(['manifests']);
    const parsed = parseAllDocuments(out, { strict: true, uniqueKeys: true });
    assert.ok(Array.isArray(parsed));
    assert.deepEqual(
      parsed.flatMap((document) => [...document.errors, ...document.warnings]),
      [],
    );
    assert.deepEqual(
      parsed.map((document) => document.toJS()),
      await printed(),
    );
    assert.doesNotMatch(out, /(^|\s)[&*]\w+$/m, 'no anchors');
  });

  it('has what others name before them', () => {
    const order = all.map(({ kind }) => kind);
    for (const [first, then] of [
      ['Namespace', 'ServiceAccount'],
      ['CustomResourceDefinition', 'EncryptionMesh'],
      ['ClusterRoleBinding', 'DaemonSet'],
      ['PriorityLevelConfiguration', 'FlowSchema'],
      ['ValidatingAdmissionPolicy', 'DaemonSet'],
    ] as const)
      assert.ok(order.indexOf(first) < order.indexOf(then), `${first} before ${then}`);
    assert.deepEqual(
      all.slice(-2).map(({ metadata }) => metadata.name),
      ['sheath-keep', 'sheath-keep'],
    );
  });

  it('has each object once', () => {
    const names = all.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it('says nothing of encryption that sheath enable would have to win over', async () => {
    assert.ok(!(await printed()).some(({ kind }) => kind === 'EncryptionMesh'));
    assert.deepEqual(at(find(all, 'EncryptionMesh'), 'spec'), {
      mode: 'strict',
      clusterPrefixes: ['10.244.0.0/16'],
    });
  });

  it('puts everything into another namespace, the names of users in policies too', async () => {
    const { out } = await sheath(['manifests', '--namespace', 'elsewhere', '--cronjob', '@daily']);
    assert.ok(!out.includes(NAMESPACE));
    assert.match(out, /system:serviceaccount:elsewhere:sheath-agent/);
  });

  it('takes the image, the replicas, the level of the log', async () => {
    const other = await printed('--image', 'r.example/s@sha256:0', '--replicas', '3', '--log-level', 'debug');
    const [agent, controller] = [find(other, 'DaemonSet'), find(other, 'Deployment')];
    assert.equal(at(controller, 'spec', 'replicas'), 3);
    for (const each of [agent, controller]) {
      const container = at(each, 'spec', 'template', 'spec', 'containers', 0);
      assert.equal(at(container, 'image'), 'r.example/s@sha256:0');
      assert.ok(listAt(container, 'env').some((item) => at(item, 'value') === 'debug'));
    }
  });

  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--strict'], /--strict needs --cluster-prefixes/],
    [['--prefixes-source', 'pods'], /--prefixes-source pods needs --cluster-prefixes/],
    [['--cluster-prefixes', '10.244.0.1/16'], /10\.244\.0\.1\/16: expected a prefix/],
    [['--replicas', '0'], /--replicas "0"/],
    [['--namespace', 'Sheath'], /--namespace "Sheath"/],
    [['--cronjob', 'monthly'], /expected a schedule like/],
    [['--image', ''], /--image ""/],
    [['--ipsec-vici', 'charon.vici'], /--ipsec-vici "charon\.vici": expected the absolute path/],
    [['--ipsec-vici', '/run/charon.vici'], /agents would see all of \/run; .*charon\.plugins\.vici\.socket/],
    [['--ipsec-vici', '/run/x/../charon.vici'], /in a folder of its own/],
    [['--ipsec-vici', '/charon.vici'], /agents would see all of \/;/],
  ];
  for (const [flags, expected] of wrong) {
    it(`refuses ${flags.join(' ')}`, async () => {
      const { code, err, out } = await sheath(['manifests', ...flags]);
      assert.equal(code, 2);
      assert.equal(out, '');
      assert.match(err, expected);
    });
  }

  it('gives its pods the labels and the port by which the CLI finds them', () => {
    const agent = find(all, 'DaemonSet');
    assert.deepEqual(at(agent, 'spec', 'template', 'metadata', 'labels'), AGENT_LABELS);
    assert.deepEqual(at(agent, 'spec', 'selector', 'matchLabels'), AGENT_LABELS);
    assert.equal(
      at(agent, 'spec', 'template', 'spec', 'containers', 0, 'ports', 0, 'containerPort'),
      AGENT_PORT,
    );
  });

  it('lets every container do no more than it must', () => {
    const pods = [
      at(find(all, 'DaemonSet'), 'spec', 'template', 'spec'),
      at(find(all, 'Deployment'), 'spec', 'template', 'spec'),
      at(find(all, 'CronJob'), 'spec', 'jobTemplate', 'spec', 'template', 'spec'),
    ];
    for (const [i, pod] of pods.entries()) {
      const security = at(pod, 'containers', 0, 'securityContext');
      const added = i === 0 ? { add: ['NET_ADMIN', 'NET_BIND_SERVICE'] } : {};
      assert.deepEqual(at(security, 'capabilities'), { drop: ['ALL'], ...added });
      assert.equal(at(security, 'privileged'), false);
      assert.equal(at(security, 'allowPrivilegeEscalation'), false);
      assert.equal(at(security, 'readOnlyRootFilesystem'), true);
      const profile = at(security, 'seccompProfile') ?? at(pod, 'securityContext', 'seccompProfile');
      assert.deepEqual(profile, { type: 'RuntimeDefault' });
      assert.equal(at(pod, 'hostPID'), undefined);
      assert.equal(at(pod, 'hostNetwork'), i === 0 ? true : undefined);
      assert.ok(at(pod, 'containers', 0, 'resources', 'requests', 'memory'));
    }
  });

  it('has every volume that is mounted, and only the state, the sockets, TUN and net sysctls of the node', () => {
    const pod = at(find(all, 'DaemonSet'), 'spec', 'template', 'spec');
    const names = (list: readonly unknown[]) => list.map((item) => at(item, 'name'));
    assert.deepEqual(names(listAt(pod, 'containers', 0, 'volumeMounts')), names(listAt(pod, 'volumes')));
    assert.deepEqual(
      listAt(pod, 'volumes').flatMap((volume) => at(volume, 'hostPath', 'path') ?? []),
      ['/var/lib/sheath', '/run/sheath', '/run/wireguard', '/dev/net/tun', '/proc/sys/net'],
    );
  });

  it("has the folder of the hosts' charon where one is named, and the resource names it too", async () => {
    const vici = '/run/strongswan/charon.vici';
    const objects = await printed('--encryption', 'ipsec', '--ipsec-vici', vici);
    assert.deepEqual(at(find(objects, 'EncryptionMesh'), 'spec'), { encryption: 'ipsec', ipsec: { vici } });
    const pod = at(find(objects, 'DaemonSet'), 'spec', 'template', 'spec');
    assert.deepEqual(listAt(pod, 'volumes').at(-1), {
      name: 'charon',
      hostPath: { path: '/run/strongswan', type: 'Directory' },
    });
    assert.deepEqual(listAt(pod, 'containers', 0, 'volumeMounts').at(-1), {
      name: 'charon',
      mountPath: '/run/strongswan',
      readOnly: true,
    });
  });

  it('grants no secrets, no deletion, no star', () => {
    for (const object of all.filter(({ kind }) => kind.endsWith('Role')))
      for (const rule of listAt(object, 'rules')) {
        const verbs = listAt(rule, 'verbs');
        for (const never of [
          '*',
          'delete',
          'deletecollection',
          'impersonate',
          'bind',
          'escalate',
          'administer',
        ])
          assert.ok(!verbs.includes(never), `${object.metadata.name}: ${never}`);
        for (const never of ['*', 'secrets', 'configmaps', 'nodes/status', 'nodes/proxy', 'pods/exec'])
          assert.ok(!listAt(rule, 'resources').includes(never), `${object.metadata.name}: ${never}`);
      }
  });

  it('lets agents see pods only where the prefixes come from them', async () => {
    const sees = (objects: readonly Manifest[]) =>
      listAt(find(objects, 'ClusterRole', 'sheath-agent'), 'rules').some((rule) =>
        listAt(rule, 'resources').includes('pods'),
      );
    assert.equal(sees(all), false);
    assert.equal(sees(await printed('--prefixes-source', 'pods', '--cluster-prefixes', '10.0.0.0/8')), true);
  });
});

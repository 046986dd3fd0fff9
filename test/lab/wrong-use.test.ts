/** What `sheath lab` says to whoever asks for what cannot be. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { labFolder } from '../../lab/nodes/folder.ts';
import { copyKubeconfig, redirectKubeconfig } from '../../lab/nodes/kubeconfigs.ts';
import { lastWords } from '../../lab/nodes/last-words.ts';
import { topology } from '../../lab/nodes/topology.ts';
import { runTraffic } from '../../lab/traffic/run.ts';
import { sheath } from '../cli/run.ts';

const NAME = 'labwrong';

describe('sheath lab enable, rotate and disable', () => {
  it('say in one line which flag is wrong, whatever stands before it', async () => {
    const { code, err } = await sheath(['lab', 'enable', '--name', 'nolab', '--nodes', 'pool=blue']);
    assert.equal(code, 2);
    assert.match(err, /^sheath: there is no lab "nolab": [^\n]*\n$/);
  });
});

describe('sheath lab up says in one line what cannot be, and builds nothing', () => {
  const cases = [
    { argv: ['--nodes', '1000'], code: 2, says: /a lab has 1 to 200 nodes, not 1000$/ },
    {
      argv: ['--kubeconfig', '/nonexistent'],
      code: 2,
      says: /--kubeconfig \/nonexistent cannot be used: ENOENT/,
    },
    {
      argv: ['--kubeconfig', '/dev/null'],
      code: 2,
      says: /--kubeconfig \/dev\/null cannot be used: the file: /,
    },
  ];
  for (const { argv, code, says } of cases) {
    it(argv.join(' '), async () => {
      const ran = await sheath(['lab', 'up', '--name', NAME, ...argv]);
      assert.equal(ran.code, code);
      assert.match(ran.err.trimEnd(), says);
      assert.equal(ran.err.split('\n').length, 2, ran.err);
      assert.equal(existsSync(labFolder(NAME)), false);
    });
  }

  it('an API server that does not answer', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sheath-wrong-'));
    const path = join(folder, 'kubeconfig');
    await writeFile(path, stringify(kubeconfig('http://127.0.0.1:1')));
    const ran = await sheath(['lab', 'up', '--name', NAME, '--kubeconfig', path]);
    await rm(folder, { recursive: true });
    assert.equal(ran.code, 3);
    assert.match(
      ran.err,
      /^sheath: the API server of --kubeconfig \S+ does not answer: connect ECONNREFUSED/,
    );
  });
});

describe('lab traffic', () => {
  const lab = topology({ name: NAME, nodes: 2, pods: 1, ipv6: false });

  it('says that there is no such place', async () => {
    await assert.rejects(runTraffic(lab, { only: ['n1-p1', 'n9'] }), {
      code: 'LAB_NODE_UNKNOWN',
      message: 'the lab "labwrong" has no pod or node "n9": it has n1 to n2, and pods like n1-p1',
    });
  });

  it('says between whom there is nobody', async () => {
    await assert.rejects(runTraffic(lab, { only: ['n1', 'n2'] }), {
      code: 'LAB_TRAFFIC_FAILED',
      message: 'no traffic: --between pods finds no two of different nodes among n1, n2',
    });
  });
});

describe('a kubeconfig that a lab takes over', () => {
  it('has its files where they were, and another host where it is wanted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sheath-wrong-'));
    const [from, to] = [join(folder, 'kubeconfig'), join(folder, 'copy')];
    await writeFile(from, stringify(kubeconfig('https://127.0.0.1:6443')));
    await copyKubeconfig(from, to);
    const copy = parse(await readFile(to, 'utf8'));
    await redirectKubeconfig(from, to, '192.0.2.1:6443');
    const redirected = parse(await readFile(to, 'utf8'));
    await rm(folder, { recursive: true });
    const ca = join(folder, 'certs/ca.crt');
    const user = { 'client-certificate': join(folder, 'me.crt'), 'client-key': '/etc/me.key' };
    assert.deepEqual(copy.clusters[0].cluster, {
      server: 'https://127.0.0.1:6443',
      'certificate-authority': ca,
    });
    assert.deepEqual(redirected.clusters[0].cluster, {
      server: 'https://192.0.2.1:6443',
      'certificate-authority': ca,
      'tls-server-name': 'kubernetes.default.svc',
    });
    for (const each of [copy, redirected]) assert.deepEqual(each.users[0].user, user);
  });
});

describe('the last words of a program of ours', () => {
  it('come without its name', () => {
    assert.equal(lastWords('network\nsheath: it is so\n'), 'it is so');
    assert.equal(lastWords('sheath: sheath: it is so'), 'it is so');
    assert.equal(lastWords(''), '');
  });
});

function kubeconfig(server: string): unknown {
  return {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [
      {
        name: 'k',
        cluster: { server, ...(server.startsWith('https') && { 'certificate-authority': 'certs/ca.crt' }) },
      },
    ],
    users: [
      {
        name: 'u',
        user: server.startsWith('https')
          ? { 'client-certificate': './me.crt', 'client-key': '/etc/me.key' }
          : {},
      },
    ],
  };
}

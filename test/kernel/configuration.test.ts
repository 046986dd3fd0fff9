// kernel suite: kernels newest, memory 3G, timeout 900
/**
 * The resource changed under running agents and under traffic: a real kube-apiserver, the kernel's WireGuard, three agents that nobody
 * starts again. These tests go on from each other, in this order.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiTarget, call } from '../../lab/api-client.ts';
import { leftInNode } from '../../lab/demo-leftovers.ts';
import { MESH } from '../../operator/config/resource.ts';
import { createPod } from './configuration/pods.ts';
import { watchWire } from './configuration/wire.ts';
import { assertEncrypted, assertNoneLost, Mesh } from './mesh/mesh.ts';

/** The lab's. */
const CLUSTER_PREFIXES = ['10.244.0.0/16', 'fd00:10:244::/48'];
/** Of a pod of n2 at first. */
const MOVING = '10.244.2.77';

describe('the configuration, changed while everything runs', function () {
  this.timeout(150_000);
  let mesh: Mesh;

  before(async () => {
    mesh = await Mesh.create({ name: 'conf', through: 'resource', encryption: 'wireguard' });
    await mesh.until(({ state }) => state === 'encrypted');
  });
  after(() => mesh?.close());

  const wish = (spec: object) =>
    mesh.kubectl('patch', 'encryptionmesh', 'default', '--type', 'merge', '-p', JSON.stringify({ spec }));

  /** On every node, in the end. */
  async function holds(what: string, command: string, good: (said: string) => boolean): Promise<void> {
    for (const { name } of mesh.lab.topology.members) {
      const deadline = performance.now() + 60_000;
      for (let said = ''; !good(said); said = await mesh.on(name, command)) {
        assert.ok(performance.now() < deadline, `${what} on ${name}: ${said}`);
        await sleep(200);
      }
    }
  }

  it('an MTU', async () => {
    await mesh.losslessly(async () => {
      await wish({ mtu: 1300 });
      await holds('the MTU', 'ip link show type wireguard', (said) => said.includes('mtu 1300'));
    });
    await mesh.losslessly(async () => {
      await wish({ mtu: null });
      await holds('the MTU', 'ip link show type wireguard', (said) => said.includes('mtu 1420'));
    });
  });

  it('tables and rules: the new ones are there before the old ones go', async () => {
    const routing = { table: 777, podTable: 778, rulePriority: 77, podRulePriority: 76 };
    const measured = await mesh.losslessly(async () => {
      await wish({ routing });
      await holds(
        'the rules',
        'ip rule; ip -6 rule',
        (said) => /^77:.*lookup 777/m.test(said) && !/^9[45]:/m.test(said),
      );
      await holds(
        'the old tables',
        'ip route show table 51830 2>/dev/null || true; ip -6 route show table 51830 2>/dev/null || true; echo end',
        (said) => said.trim() === 'end',
      );
    });
    assertEncrypted(measured);
  });

  it('the mark', async () => {
    const measured = await mesh.losslessly(async () => {
      await wish({ routing: { fwmark: '0x2000/0x2000' } });
      await holds('the mark', 'wg show all fwmark', (said) => said.includes('0x2000'));
    });
    assertEncrypted(measured);
    await mesh.losslessly(async () => {
      await wish({ routing: null });
      await holds(
        'the mark',
        'wg show all fwmark; ip rule',
        (said) => said.includes('0x1000') && /^95:/m.test(said),
      );
    });
  });

  it('what cannot be is refused by the API server, and nobody hears of it', async () => {
    await assert.rejects(wish({ mtu: 5 }), /spec\.mtu/);
    await assert.rejects(wish({ mode: 'strict' }), /spec\.clusterPrefixes/);
    await mesh.until(({ problems }) => problems.length === 0);
  });

  it('the resource gone, and back', async () => {
    const measured = await mesh.losslessly(async () => {
      const target = await apiTarget(mesh.server.kubeconfigPath);
      const before = (await call(target, { path: MESH })) as { metadata: { labels: object }; spec: object };
      await mesh.kubectl('delete', 'encryptionmesh', 'default');
      await mesh.until(({ problems }) => problems.some(({ code }) => code === 'RESOURCE_GONE'));
      await sleep(2000);
      const { metadata, spec } = before;
      await call(target, {
        method: 'POST',
        path: MESH.replace(/\/default$/, ''),
        body: {
          apiVersion: 'sheath.dev/v1alpha1',
          kind: 'EncryptionMesh',
          metadata: { name: 'default', labels: metadata.labels },
          spec,
        },
      });
      await mesh.until(({ problems, resource }) => problems.length === 0 && resource?.state === 'followed');
    });
    assertEncrypted(measured);
  });

  it('prefixes from the pods', async () => {
    const pods = mesh.lab.topology.members.flatMap((node) => node.pods);
    for (const pod of pods) await createPod(mesh, pod);
    const measured = await mesh.losslessly(async () => {
      await wish({ prefixes: { source: 'pods' } });
      await mesh.until(({ config }) => config['prefixes.source']?.value === 'pods');
      await holdsOn(
        'n1',
        'ip route show table 51830',
        (said) => !said.includes('10.244.2.0/24') && said.includes('10.244.2.'),
      );
      await mesh.until(({ state }) => state === 'encrypted');
    });
    assertEncrypted(measured);
    const all = await mesh.measure({ rate: 50, answers: true }, () => sleep(2000));
    assertNoneLost(all);
    assertEncrypted(all);
  });

  it('an address of no pod is in clear still: the wire can be watched for it', async () => {
    const wire = await watchWire(mesh, MOVING);
    await mesh.inPod('n1-p1', `ping -c 1 -W 1 ${MOVING} || true`);
    assert.ok((await wire.stop()) > 0);
  });

  it('a pod that comes, and its address that moves to another node, behind shut doors', async () => {
    await mesh.losslessly(() =>
      wish({ mode: 'strict', clusterPrefixes: CLUSTER_PREFIXES }).then(() =>
        mesh.until(({ mode }) => mode === 'strict'),
      ),
    );
    const wire = await watchWire(mesh, MOVING);
    try {
      await comesTo('n2');
      await reachable('at first');
      await mesh.losslessly(async () => {
        await mesh.kubectl('delete', 'pod', 'moving-n2', '--grace-period=0', '--force');
        await mesh.inPod('n2-p1', `ip addr del ${MOVING}/32 dev eth0`);
        await comesTo('n3');
        await reachable('after it moved');
      });
      const claimed = await Promise.all(
        ['n2', 'n3'].map((name) => mesh.kubectl('get', 'node', name, '-o', 'yaml')),
      );
      assert.deepEqual(
        claimed.map((text) => text.includes(`${MOVING}/32`)),
        [false, true],
      );
    } finally {
      assert.equal(await wire.stop(), 0, 'packets in clear');
    }
    await mesh.losslessly(() =>
      wish({ mode: null }).then(() => mesh.until(({ mode }) => mode === 'permissive')),
    );
  });

  it('prefixes from the Nodes again', () =>
    mesh.losslessly(async () => {
      await wish({ prefixes: null });
      await holdsOn(
        'n1',
        'ip route show table 51830',
        (said) => said.includes('10.244.2.0/24') && !/10\.244\.2\.\d+ /.test(said),
      );
    }));

  it('who takes part', async () => {
    for (const node of ['n1', 'n2']) await mesh.kubectl('label', 'node', node, 'pool=blue');
    const measured = await mesh.losslessly(async () => {
      await wish({ nodeSelector: { matchLabels: { pool: 'blue' } } });
      await mesh.until(({ state, notSelected }) => state === 'plaintext' && notSelected !== undefined, 'n3');
    });
    assertEncrypted(measured);
    const deadline = performance.now() + 30_000;
    for (let left = ['unknown']; left.length > 0; left = [...(await leftInNode(mesh.lab, 'n3'))]) {
      assert.ok(performance.now() < deadline, left.join());
      await sleep(200);
    }
    await mesh.kubectl('label', 'node', 'n3', 'pool=blue');
    await mesh.until(({ state }) => state === 'encrypted');
  });

  async function holdsOn(node: string, command: string, good: (said: string) => boolean): Promise<void> {
    const deadline = performance.now() + 60_000;
    for (let said = ''; !good(said); said = await mesh.on(node, command)) {
      assert.ok(performance.now() < deadline, said);
      await sleep(200);
    }
  }

  /** A pod with an address of its own, in the network of the node's first one. */
  async function comesTo(node: string): Promise<void> {
    await mesh.inPod(`${node}-p1`, `ip addr add ${MOVING}/32 dev eth0`);
    await mesh.on(node, `ip route replace ${MOVING}/32 dev cni0`);
    await createPod(mesh, { name: `moving-${node}`, node, addresses: [MOVING] });
  }

  async function reachable(when: string): Promise<void> {
    const since = performance.now();
    const answers = () =>
      mesh.inPod('n1-p1', `ping -c 1 -W 1 ${MOVING}`).then(
        () => true,
        () => false,
      );
    while (!(await answers()))
      assert.ok(performance.now() - since < 45_000, `${MOVING} does not answer ${when}`);
  }
});

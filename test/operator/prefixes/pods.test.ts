import assert from 'node:assert/strict';
import { type ApiTarget, apiTarget, call } from '../../../lab/api-client.ts';
import { NO_EVIDENCE, readEvidence } from '../../../operator/agent/evidence.ts';
import { systemClock } from '../../../operator/clock.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { openCluster } from '../../../operator/kube/open.ts';
import { PodAddresses } from '../../../operator/prefixes/pods.ts';
import { type KubeApiserver, startKubeApiserver } from '../../support/kube-apiserver.ts';
import { createNode } from '../../support/nodes.ts';
import { until } from '../agents.ts';

const PODS = '/api/v1/namespaces/default/pods';

describe('the pods of a node, at the real API server', function () {
  this.timeout(120_000);
  let server: KubeApiserver;
  let target: ApiTarget;
  let client: KubeClient;
  const ending = new AbortController();
  let done: Promise<void> = Promise.resolve();
  let pods: PodAddresses;
  const troubles: string[] = [];

  before(async () => {
    server = await startKubeApiserver();
    target = await apiTarget(server.kubeconfigPath);
    ({ client } = await openCluster({ kubeconfig: server.kubeconfigPath, environment: {} }, 'sheath-test'));
    await createNode(target, { name: 'n1', podCIDRs: ['10.244.1.0/24'], addresses: ['192.0.2.1'] });
    await createNode(target, { name: 'n2', podCIDRs: [], addresses: ['192.0.2.2'] });
    await pod('before', 'n1', ['10.9.0.2', 'fd00::2']);
    await pod('elsewhere', 'n2', ['10.9.0.3']);
    await pod('host', 'n1', ['192.0.2.1'], { hostNetwork: true });
    pods = new PodAddresses({
      client,
      node: 'n1',
      clock: systemClock,
      random: Math.random,
      onChange: () => {},
      onTrouble: (error) => error !== undefined && troubles.push(error.message),
      onFault: (error) => troubles.push(String(error)),
    });
    done = pods.run(ending.signal);
  });

  after(async () => {
    ending.abort();
    await done;
    client.close();
    await server.stop();
  });

  async function pod(name: string, node: string, ips: readonly string[], more: object = {}): Promise<void> {
    await call(target, {
      method: 'POST',
      path: PODS,
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: { nodeName: node, containers: [{ name: 'c', image: 'i' }], ...more },
      },
    });
    await status(name, { phase: 'Running', podIPs: ips.map((ip) => ({ ip })), podIP: ips[0] });
  }

  const status = (name: string, body: object) =>
    call(target, {
      method: 'PATCH',
      path: `${PODS}/${name}/status`,
      body: { status: body },
      headers: { 'content-type': 'application/merge-patch+json' },
    });

  const become = (...expected: readonly string[]) =>
    until(
      `the addresses are ${expected.join(' ')}`,
      async () => [...(pods.addresses() ?? ['unknown'])].sort().join(),
      (now) => now === [...expected].sort().join(),
    );

  it('are listed, and watched: those that come, end, and are deleted', async () => {
    await become('10.9.0.2', 'fd00::2');
    await pod('second', 'n1', ['10.9.0.4']);
    await become('10.9.0.2', '10.9.0.4', 'fd00::2');
    await status('before', { phase: 'Succeeded' });
    await become('10.9.0.4');
    await call(target, { method: 'DELETE', path: `${PODS}/second?gracePeriodSeconds=0` });
    await become();
    assert.deepEqual(troubles, []);
  });

  it('vouch for what their node claims', async () => {
    await pod('third', 'n2', ['10.9.0.2']);
    const question = { names: ['n1', 'n2'], evidence: NO_EVIDENCE };
    const byPods = await readEvidence(client, { ...question, source: 'pods' });
    const vouched = [...byPods.nodes.values()].map(({ podCIDRs }) => podCIDRs.join());
    assert.deepEqual(vouched.sort(), ['', '10.9.0.2/31']);
    const byNodes = await readEvidence(client, { ...question, source: 'podCIDRs' });
    assert.deepEqual([...byNodes.nodes.values()].map(({ podCIDRs }) => podCIDRs.join()).sort(), [
      '',
      '10.244.1.0/24',
    ]);
  });
});

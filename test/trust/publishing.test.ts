import assert from 'node:assert/strict';
import { parsePublicKey } from 'wireguard-tools-wrapper/keys';
import { call } from '../../lab/api-client.ts';
import { annotateNode, getNode, type NodeObject } from '../../lab/node-objects.ts';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { parsePrefix } from '../../mesh/prefix.ts';
import { formatAnnotations } from '../../mesh/record.ts';
import { Publisher } from '../../operator/agent/publisher.ts';
import { systemClock } from '../../operator/clock.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import { parseNode, parseNodeMetadata } from '../../operator/kube/node.ts';
import { openCluster } from '../../operator/kube/open.ts';
import { admissionPolicyState, NODES_BINDING, NODES_POLICY } from '../../operator/kube/policy.ts';
import { AGENT, type ApiTarget, annotate, messageOf, patch, useCluster } from './cluster.ts';

const KEY = parsePublicKey('hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=');

describe('an agent under the admission policy of a real API server', function () {
  this.timeout(60_000);
  const cluster = useCluster();
  const clients: KubeClient[] = [];

  async function clientOf(token: string): Promise<KubeClient> {
    const kubeconfig = await cluster.current.api.kubeconfigOf(token);
    const { client } = await openCluster({ kubeconfig, context: undefined, environment: {} }, 'sheath-test');
    clients.push(client);
    return client;
  }

  const agentOn = async (node: string) => clientOf(await cluster.current.tokenOf(AGENT, node));
  after(() => {
    for (const client of clients) client.close();
  });

  before(() => cluster.current.install());

  const ownRecord = (node: NodeObject, prefix: string) => {
    const { podCIDRs, internalAddresses } = parseNode(node);
    const other = parsePrefix(prefix);
    assert.ok(other);
    return formatAnnotations({
      generations: [
        { number: 1, driver: 'wireguard', publicKey: KEY, port: 51831 },
        { number: 2, driver: 'wireguard', publicKey: KEY, port: 51830 },
      ],
      endpoints: internalAddresses,
      prefixes: [...podCIDRs, other],
      sending: [1, 2],
      agent: {
        version: '9.9.9',
        observedGeneration: 4,
        mode: 'strict',
        cannot: ['ipsec: this kernel has no ESP'],
      },
    });
  };

  async function publish(
    client: KubeClient,
    name: string,
    wanted: Readonly<Record<string, string>>,
  ): Promise<void> {
    const publisher = new Publisher({ client, node: name, clock: systemClock, onPublished: () => {} });
    const metadata = parseNodeMetadata(await getNode(cluster.current.admin, name));
    assert.ok(metadata);
    await publisher.publish(wanted, { state: 'present', metadata });
  }

  it('publishes, changes and withdraws its record', async () => {
    const { admin } = cluster.current;
    await cluster.current.untilGuarded((text) =>
      annotate(cluster.current.kubelet('n1'), 'n1', { [ANNOTATIONS.sending]: text }),
    );
    const client = await agentOn('n1');
    const wanted = ownRecord(await getNode(admin, 'n1'), '10.244.1.7/32');
    await publish(client, 'n1', wanted);
    assert.deepEqual((await getNode(admin, 'n1')).metadata.annotations, wanted);
    await publish(client, 'n1', { [ANNOTATIONS.agent]: '{"version":"9.9.9","cannot":[]}' });
    assert.deepEqual(Object.keys((await getNode(admin, 'n1')).metadata.annotations ?? {}), [
      ANNOTATIONS.agent,
    ]);
    await publish(client, 'n1', {});
    assert.equal((await getNode(admin, 'n1')).metadata.annotations, undefined);
  });

  it('puts right what somebody else wrote, rubbish too', async () => {
    const { admin } = cluster.current;
    await annotateNode(admin, 'n2', {
      [ANNOTATIONS.prefixes]: '0.0.0.0/0',
      [ANNOTATIONS.generations]: 'x'.repeat(9000),
    });
    const wanted = ownRecord(await getNode(admin, 'n2'), '10.244.2.7/32');
    await publish(await agentOn('n2'), 'n2', wanted);
    assert.deepEqual((await getNode(admin, 'n2')).metadata.annotations, wanted);
  });

  it('is told in one sentence what is refused, and with which flags it would not be', async () => {
    const { admin } = cluster.current;
    const wanted = ownRecord(await getNode(admin, 'n3'), '10.0.0.7/32');
    await assert.rejects(publish(await agentOn('n3'), 'n3', wanted), (error: unknown) => {
      assert.ok(error instanceof KubeError);
      assert.equal(error.code, 'FORBIDDEN');
      assert.match(
        error.message,
        /prefix 10\.0\.0\.7\/32 is not inside the Node's podCIDRs; .* --prefixes-source/,
      );
      return true;
    });
  });

  it('may claim what is inside clusterPrefixes where the pods have addresses of their own', async () => {
    const { current } = cluster;
    await current.install({ prefixSource: 'pods', clusterPrefixes: ['10.0.0.0/16', 'fd00:1::/48'] });
    const token = await current.tokenOf(AGENT, 'n1');
    const claim = (prefixes: string) =>
      annotate(current.as(token), 'n1', { [ANNOTATIONS.prefixes]: prefixes });
    await current.until(async () => (await claim('10.0.3.7/32,fd00:1::5/128')).status === 200);
    for (const strange of ['10.1.0.0/24', '10.0.0.0/15', '10.244.1.0/24', '0.0.0.0/0', 'fd00:2::/64']) {
      const answer = await claim(strange);
      assert.equal(answer.status, 403, strange);
      assert.match(messageOf(answer), /is not inside 10\.0\.0\.0\/16, fd00:1::\/48; .*--cluster-prefixes/);
    }
    await (await clientOf(token)).get('/api/v1/pods');
  });

  it('claims nothing where administrators write the prefixes', async () => {
    const { current } = cluster;
    await current.install({ prefixSource: 'annotations' });
    const agent = current.as(await current.tokenOf(AGENT, 'n1'));
    const claim = (target: ApiTarget, prefixes: string | null) =>
      annotate(target, 'n1', { [ANNOTATIONS.prefixes]: prefixes });
    let next = 0;
    await current.until(async () => (await claim(agent, `10.0.3.${++next}/32`)).status === 403);
    assert.match(messageOf(await claim(agent, '10.244.1.0/24')), /administrators write prefixes/);
    assert.equal((await claim(current.admin, '172.20.0.0/16')).status, 200);
    assert.equal((await annotate(agent, 'n1', { [ANNOTATIONS.sending]: '4' })).status, 200);
    assert.equal((await claim(agent, null)).status, 200, 'what it published before, it may take back');
  });

  it('knows whether the policy is in force', async () => {
    const { admin } = cluster.current;
    const client = await clientOf(await cluster.current.unboundTokenOf(AGENT));
    assert.deepEqual(await admissionPolicyState(client), { state: 'inForce' });

    await patch(admin, NODES_BINDING, { spec: { validationActions: ['Warn'] } });
    const warned = await admissionPolicyState(client);
    assert.equal(warned.state, 'absent');
    await patch(admin, NODES_BINDING, { spec: { validationActions: ['Deny'] } });
    await patch(admin, NODES_POLICY, { spec: { failurePolicy: 'Ignore' } });
    assert.equal((await admissionPolicyState(client)).state, 'absent');
    await patch(admin, NODES_POLICY, { spec: { failurePolicy: 'Fail' } });
    assert.equal((await admissionPolicyState(client)).state, 'inForce');

    await call(admin, { method: 'DELETE', path: NODES_BINDING });
    const gone = await admissionPolicyState(client);
    assert.ok(gone.state === 'absent' && /sheath manifests/.test(gone.reason));

    const stranger = await clientOf('cloud-token');
    const unread = await admissionPolicyState(stranger);
    assert.ok(unread.state === 'unknown' && /cannot read/.test(unread.reason));
  });
});

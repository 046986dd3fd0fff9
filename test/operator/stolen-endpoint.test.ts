/** The owner of an older node's kubelet names another node's address as its own, and the API server vouches for both. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { call } from '../../lab/api-client.ts';
import { annotateNode, getNode } from '../support/nodes.ts';
import { until, useAgents } from './agents.ts';
import type { FakeKernel } from './fake-kernel.ts';

const ADDRESSES: Readonly<Record<string, string>> = { n2: '192.0.2.2', n3: '192.0.2.3' };

describe('a Node that claims the address at which another answers', () => {
  const lab = useAgents();

  it('does not get it, though it is the older one, nor after a restart', async () => {
    const { n1 } = await lab.now.mesh();
    const { victim, thief } = await victimAndThief();
    n1.writes.length = 0;
    await steal(thief, victim);
    await isRefused(thief, victim);
    await lab.now.stop('n1');
    const holders = await heldOnDisk();
    assert.deepEqual(holders, [[ADDRESSES[victim], (await getNode(lab.now.target, victim)).metadata.uid]]);
    await lab.now.start('n1', n1);
    await isRefused(thief, victim);
    assert.deepEqual(written(n1, victim), []);
  });

  it('does not get it when it claims it while the agent is away', async () => {
    const { n1 } = await lab.now.mesh();
    const { victim, thief } = await victimAndThief();
    await lab.now.stop('n1');
    n1.writes.length = 0;
    await steal(thief, victim);
    await lab.now.start('n1', n1);
    await isRefused(thief, victim);
    assert.deepEqual(written(n1, victim), []);
  });

  it('leaves nothing behind when it claims it no more', async () => {
    await lab.now.mesh();
    const { victim, thief } = await victimAndThief();
    await steal(thief, victim);
    await isRefused(thief, victim);
    await annotateNode(lab.now.target, thief, { 'sheath.dev/endpoints': ADDRESSES[thief] ?? '' });
    await until(
      'nothing is refused',
      () => lab.now.status('n1'),
      ({ refused }) => refused.length === 0,
    );
    await lab.now.becomes('n1', 'encrypted');
  });

  /** By what a plan goes by when nobody proved itself. */
  async function victimAndThief(): Promise<{ victim: string; thief: string }> {
    const nodes = await Promise.all(['n2', 'n3'].map((name) => getNode(lab.now.target, name)));
    const [thief, victim] = nodes
      .map(({ metadata }) => ({ name: metadata.name, age: `${metadata.creationTimestamp} ${metadata.uid}` }))
      .sort((a, b) => (a.age < b.age ? -1 : 1));
    assert.ok(thief && victim);
    return { victim: victim.name, thief: thief.name };
  }

  async function steal(thief: string, victim: string): Promise<void> {
    const addresses = [ADDRESSES[thief] ?? '', ADDRESSES[victim] ?? ''];
    await lab.now.stop(thief);
    await call(lab.now.target, {
      method: 'PATCH',
      path: `/api/v1/nodes/${thief}/status`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) } },
    });
    await annotateNode(lab.now.target, thief, { 'sheath.dev/endpoints': addresses.sort().join() });
  }

  async function isRefused(thief: string, victim: string): Promise<void> {
    const now = await until(
      `${thief} is refused`,
      () => lab.now.status('n1'),
      ({ refused }) => refused.length > 0,
    );
    assert.deepEqual(
      now.refused.map(({ node, code, inFavourOf }) => [node, code, inFavourOf]),
      [[thief, 'ENDPOINT_CLAIMED', victim]],
    );
    assert.match(now.refused[0]?.message ?? '', /that Node answers there/);
    assert.deepEqual(
      now.peers.map(({ state }) => state),
      ['routed', 'routed'],
    );
  }

  async function heldOnDisk(): Promise<unknown> {
    const path = join(lab.now.folder, 'n1', 'state', 'records.json');
    const { evidence } = JSON.parse(await readFile(path, 'utf8')) as {
      evidence: { endpointHolders: unknown };
    };
    return evidence.endpointHolders;
  }
});

/** What was written of a node. */
function written({ writes }: FakeKernel, node: string): readonly string[] {
  const address = ADDRESSES[node] ?? '';
  const prefix = address.replace('192.0.2', '10.244');
  return writes
    .map(({ what }) => what)
    .filter((what) => [`peer ${node} `, `${address}/32`, `${prefix}.0/24`].some((of) => what.includes(of)));
}

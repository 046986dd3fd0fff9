import assert from 'node:assert/strict';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlanAnswer } from '../../operator/status.ts';
import { annotateNode, createNode, deleteNode, getNode } from '../support/nodes.ts';
import { nodeSpec, until, useAgents } from './agents.ts';

describe('the agent lasts: restarts, other hands, outages', () => {
  const lab = useAgents();

  it('writes nothing to the kernel or the API after a restart, however it ended', async () => {
    const { n1 } = await lab.now.mesh();
    await lab.now.stop('n1');
    n1.writes.length = 0;
    lab.now.requests.length = 0;
    await lab.now.start('n1', n1);
    await lab.now.becomes('n1', 'encrypted');
    await sleep(300);
    assert.deepEqual(n1.writes, []);
    assert.deepEqual(
      lab.now.requests.filter(({ method, path }) => method !== 'GET' && path.includes('/n1')),
      [],
    );
  });

  it('puts back what another hand removed, at once', async () => {
    const { n1 } = await lab.now.mesh();
    const before = [...n1.items].sort();
    n1.lose(/^route 10\.244\.2/);
    await until(
      'the route is back',
      async () => [...n1.items].sort(),
      (items) => items.join() === before.join(),
    );
  });

  it('puts back its annotations when somebody overwrites or removes them', async () => {
    await lab.now.mesh();
    const before = await until(
      'nothing is sent in clear any more',
      () => lab.now.annotations('n1'),
      (now) => now['sheath.dev/sending'] === '1',
    );
    await annotateNode(lab.now.target, 'n1', {
      'sheath.dev/endpoints': '198.51.100.1',
      'sheath.dev/sending': null,
    });
    await until(
      'the annotations are back',
      () => lab.now.annotations('n1'),
      (now) => JSON.stringify(now) === JSON.stringify(before),
    );
  });

  it('keeps the tunnels when its own Node is deleted, and publishes anew when it comes back', async () => {
    const { n1 } = await lab.now.mesh();
    const items = [...n1.items].sort();
    await deleteNode(lab.now.target, 'n1');
    await until(
      'it is said',
      () => lab.now.status('n1'),
      (now) => now.problems.some((problem) => problem.code === 'NOT_FOUND'),
    );
    assert.deepEqual([...n1.items].sort(), items);
    await createNode(lab.now.target, nodeSpec('n1', 1));
    const uid = (await getNode(lab.now.target, 'n1')).metadata.uid;
    await until(
      'published anew',
      () => lab.now.annotations('n1'),
      (now) => now['sheath.dev/generations'] !== undefined,
    );
    await until(
      'it knows its uid',
      () => lab.now.status('n1'),
      (now) => now.uid === uid && now.problems.length === 0,
    );
  });

  it('boots from its disk with the API server away, and still gives nobody the address of that server', async () => {
    const { n1 } = await lab.now.mesh();
    await lab.now.stop('n1');
    await lab.now.server.close();
    const path = join(lab.now.folder, 'n1', 'state', 'records.json');
    const kept = await readFile(path, 'utf8');
    assert.match(kept, /"reserved":\["127\.0\.0\.1"\]/);
    // A loopback address nobody can claim anyway: as if the server had had one of another kind.
    const changed = kept
      .replace('"reserved":["127.0.0.1"]', '"reserved":["198.51.100.7"]')
      .replace('"sheath.dev/prefixes":"10.244.2.0/24', '$&,198.51.100.0/24');
    await writeFile(path, changed);
    n1.reboot();
    await lab.now.start('n1', n1);
    const { refused } = await until(
      'planned',
      () => lab.now.get<PlanAnswer>('n1', '/plan'),
      () => n1.listed('peer').length === 2,
    );
    assert.deepEqual(
      refused.map(({ node, code }) => [node, code]),
      [['n2', 'PREFIX_INVALID']],
    );
    assert.ok(!n1.listed('peer').join().includes('198.51.100'));
  });

  it('boots from its disk while the API server is away, and says how old its knowledge is', async () => {
    const { n1 } = await lab.now.mesh();
    await lab.now.stop('n1');
    await lab.now.server.close();
    n1.reboot();
    await lab.now.start('n1', n1);
    const now = await lab.now.becomes('n1', 'encrypted');
    assert.equal(now.records.source, 'disk');
    assert.equal(now.records.connected, false);
    assert.ok((now.records.age ?? 0) > 0);
    assert.ok(now.problems.some((problem) => problem.code === 'API_UNREACHABLE'));
    await lab.now.server.listen();
    await until(
      'it follows the API again',
      () => lab.now.status('n1'),
      (later) => later.records.source === 'api' && later.problems.length === 0,
    );
  });

  it('takes a fresh key when it boots with its clock behind the last time on disk', async () => {
    const { n1 } = await lab.now.mesh();
    const before = (await lab.now.status('n1')).generations[0]?.publicKey;
    await lab.now.stop('n1');
    const future = Date.now() / 1000 + 3600;
    await utimes(join(lab.now.folder, 'n1', 'state', 'records.json'), future, future);
    n1.reboot();
    await lab.now.start('n1', n1);
    const after = (await lab.now.becomes('n1', 'encrypted')).generations[0]?.publicKey;
    assert.notEqual(after, before);
    await until(
      'n2 has it',
      () => lab.now.status('n2'),
      (now) => now.state === 'encrypted' && now.peers[0]?.publicKey === after,
    );
  });
});

import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { OperatorError } from '../../operator/errors.ts';
import type { AgentEvent, PlanAnswer } from '../../operator/status.ts';
import { deleteNode } from '../support/nodes.ts';
import { ask, until, useAgents } from './agents.ts';
import { FakeKernel } from './fake-kernel.ts';

describe('the doors of the agent', () => {
  const lab = useAgents();

  it('tells what it would change, and follows events', async () => {
    const { n1 } = await lab.now.mesh();
    assert.deepEqual((await lab.now.get<PlanAnswer>('n1', '/plan')).changes, []);
    const events: AgentEvent[] = [];
    const socketPath = lab.now.socket('n1');
    const following = request({ socketPath, path: '/events' }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        for (const line of text.split('\n'))
          if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)) as AgentEvent);
      });
      response.on('error', () => undefined);
    });
    following.on('error', () => undefined);
    following.end();
    await until(
      'the first event',
      async () => events,
      ([first]) => first?.type === 'status',
    );
    n1.lose(/^route 10\.244\.3/);
    await until(
      'the change',
      async () => events,
      (all) => all.some((event) => event.type === 'change' && event.change.what.includes('10.244.3')),
    );
    following.destroy();
  });

  it('are for root only, and only one agent stands behind them', async () => {
    await lab.now.start('n1', new FakeKernel(lab.now.network));
    await lab.now.becomes('n1', 'plaintext');
    assert.equal((await stat(lab.now.socket('n1'))).mode & 0o777, 0o600);
    const second = await lab.now.start('n1', new FakeKernel(lab.now.network));
    await assert.rejects(
      second.done,
      (error) => error instanceof OperatorError && error.code === 'ALREADY_RUNNING',
    );
    assert.equal((await lab.now.status('n1')).node, 'n1');
  });

  it('open over a socket that a killed agent left', async () => {
    const agent = await lab.now.start('n1', new FakeKernel(lab.now.network));
    await lab.now.becomes('n1', 'plaintext');
    await agent.stop();
    await writeFile(lab.now.socket('n1'), '');
    await lab.now.start('n1', new FakeKernel(lab.now.network));
    await lab.now.becomes('n1', 'plaintext');
  });

  it('show metrics of the peers there are, and hide the plan from the network', async () => {
    const port = 20_000 + (process.pid % 20_000);
    await lab.now.start('n1', new FakeKernel(lab.now.network), { http: `127.0.0.1:${port}` });
    await lab.now.start('n2', new FakeKernel(lab.now.network));
    await lab.now.becomes('n2', 'partial');
    const metrics = async () => (await ask({ port }, '/metrics')).body;
    const text = await until('n2 is routed', metrics, (body) =>
      body.includes('sheath_peer_state{peer="n2",state="routed"} 1'),
    );
    assert.match(text, /sheath_mesh_peers\{state="routed"\} 1/);
    assert.match(text, /sheath_build_info\{version="9\.9\.9"\} 1/);
    assert.match(text, /sheath_generation 1/);
    assert.match(text, /# TYPE sheath_peer_receive_bytes_total counter\n/);
    assert.match(text, /sheath_peer_receive_bytes_total\{peer="n2"\} \d+/);
    await deleteNode(lab.now.target, 'n2');
    await until('n2 vanishes', metrics, (body) => !body.includes('peer="n2"'));
    assert.equal((await ask({ port }, '/plan')).status, 404);
    assert.equal((await ask({ port }, '/events')).status, 404);
    assert.equal((await ask({ port }, '/readyz')).status, 200);
    assert.equal((await ask({ port }, '/healthz')).status, 200);
  });
});

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultInput } from '../../lab/api/faults.ts';
import { ApiServer } from '../../lab/api/server.ts';
import { call } from '../../lab/api-client.ts';
import { steadyClock } from '../../operator/clock.ts';
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts';
import { LeaderElection } from '../../operator/kube/lease.ts';
import { createTransport } from '../../operator/kube/transport.ts';
import { seeded } from './seeded.ts';

const TIMES = { duration: 1_000, deadline: 600, retry: 100 };
const SPAN = 12_000;

/** What the server does next, to one request or for a while. */
function misbehaviour(random: () => number): FaultInput {
  const pick = Math.floor(random() * 5);
  const requests = 1 + Math.floor(random() * 4);
  const concerns = { resource: 'leases', requests };
  if (pick === 0) return { ...concerns, kind: 'cut' };
  if (pick === 1) return { ...concerns, kind: 'hang' };
  if (pick === 2) return { ...concerns, kind: 'status', status: 503 };
  return { ...concerns, kind: 'delay', delayMs: 1 + Math.floor(random() * 1_500) };
}

describe('leader election at an API server that cuts, delays and hangs', function () {
  this.timeout(40_000);
  const server = new ApiServer();
  const clients: KubeClient[] = [];
  let url: URL;
  before(async () => {
    url = new URL(await server.listen());
    await call(
      { url, tls: {}, headers: {} },
      {
        method: 'POST',
        path: '/api/v1/namespaces',
        body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sheath-system' } },
      },
    );
  });
  after(async () => {
    for (const client of clients) client.close();
    await server.close();
  });

  it('has one leader at most, at every moment, and one again when it is over', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seeded(seed);
    const ending = new AbortController();
    const elections = ['a', 'b', 'c'].map((identity) => {
      const access = { server: url, tls: {}, origin: 'test', authorization: async () => undefined };
      const client = createKubeClient(createTransport(access, 'test'));
      clients.push(client);
      return new LeaderElection({
        client,
        namespace: 'sheath-system',
        name: 'faulty',
        identity,
        clock: steadyClock,
        wall: Date.now,
        random,
        times: TIMES,
      });
    });
    const idle = (signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const running = elections.map((election) => election.run(idle, ending.signal));
    const leaders = () => elections.filter(({ leading }) => leading).length;
    const began = performance.now();
    let [changes, last] = [0, ''];
    for (let next = began; performance.now() - began < SPAN; await sleep(3)) {
      assert.ok(leaders() <= 1, `two leaders, seed ${seed}`);
      const now = elections.findIndex(({ leading }) => leading);
      if (now >= 0 && String(now) !== last) [changes, last] = [changes + 1, String(now)];
      if (performance.now() < next) continue;
      next = performance.now() + random() * 400;
      server.inject(misbehaviour(random));
      if (random() < 0.1) server.cutConnections();
    }
    assert.ok(changes > 0, 'nobody ever led');
    server.clearFaults();
    const deadline = performance.now() + 5_000;
    while (leaders() === 0) {
      assert.ok(performance.now() < deadline, `nobody leads, seed ${seed}`);
      await sleep(20);
    }
    ending.abort();
    await Promise.all(running);
    assert.equal(leaders(), 0);
  });
});

/**
 * The lifecycle of keys and doors under random schedules: the real Mesher, KernelLoop and Publisher of each node, and all pure functions
 * below them, on modelled kernels and a modelled API server. `SHEATH_SEED=N` runs the same schedules again.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Cluster } from './cluster.ts';
import { happen, type Schedule, type Sort, schedules } from './schedule.ts';

const SEED = Number(process.env.SHEATH_SEED ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env.SHEATH_RUNS ?? 80);

const OFF = { encryption: 'none', mode: 'permissive', generation: 1, passOver: [] } as const;

async function play({ seed, size, happenings }: Schedule, sort: Sort): Promise<Cluster> {
  const excused = sort === 'any';
  const cluster = new Cluster(seed, size, { ...OFF, encryption: 'wireguard' });
  cluster.sparse = sort === 'sparse';
  const newcomer = (node: string) => cluster.machines.find(({ name }) => name === node)?.in === false;
  cluster.excuse = ({ from, to }, why) =>
    excused || (why.startsWith('door') && (newcomer(from.node) || newcomer(to.node)));
  assert.ok(await cluster.until(() => cluster.isEncrypted(1), 60_000), cluster.describe());
  for (const happening of happenings) {
    await happen(cluster, happening);
    await cluster.run(happening.pause);
  }
  cluster.heal();
  const { encryption, generation } = cluster.api.wish;
  const wanted = () =>
    cluster.machines.every(({ up }) => up) &&
    (encryption === 'none' ? cluster.isOff() : cluster.isEncrypted(generation));
  assert.ok(await cluster.until(wanted, 400_000), `no end of it:\n${cluster.describe()}`);
  const { sent, delivered } = cluster.network;
  // Keys that were taken in place cost a handshake.
  if (excused) await cluster.run(20_000);
  cluster.excuse = () => false;
  await cluster.run(2_000);
  assert.ok(cluster.sparse || (cluster.network.sent > sent && cluster.network.delivered > delivered));
  assert.deepEqual(cluster.losses, { lost: [], leaked: [] });
  return cluster;
}

describe('a cluster of models', () => {
  it('rotates with three writes a node, and not a packet lost', async () => {
    const cluster = new Cluster(1, 5, OFF);
    await cluster.run(3_000);
    cluster.api.say({ encryption: 'wireguard' });
    assert.ok(await cluster.until(() => cluster.isEncrypted(1), 60_000), cluster.describe());
    for (const generation of [2, 3]) {
      await cluster.run(5_000);
      const before = cluster.api.writes;
      cluster.api.say({ generation });
      assert.ok(await cluster.until(() => cluster.isEncrypted(generation), 60_000), cluster.describe());
      await cluster.run(5_000);
      assert.equal(cluster.api.writes - before, 3 * 5);
    }
    assert.deepEqual(cluster.losses, { lost: [], leaked: [] });
  });
});

describe(`random schedules, seed ${SEED}`, function () {
  this.timeout(300_000);
  const check = (sort: Sort, seed: number) =>
    fc.assert(
      fc.asyncProperty(schedules(sort), async (schedule) => void (await play(schedule, sort))),
      { seed, numRuns: RUNS, endOnFailure: false, interruptAfterTimeLimit: 200_000 },
    );

  it('whatever is wished, killed, cut off or late: no packet is lost, and none is in clear behind a door', () =>
    check('harmless', SEED));

  it('nor where pairs fall silent for longer than a generation must have been', () =>
    check('sparse', SEED + 2));

  it('whatever goes down or away: none is in clear behind a door, and all end on one generation', () =>
    check('any', SEED + 1));
});

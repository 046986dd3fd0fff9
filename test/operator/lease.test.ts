import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Clock } from '../../operator/clock.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { LEASE_TIMES, LeaderElection } from '../../operator/kube/lease.ts';
import { badNetwork, type Fate, FlakyApi } from './flaky-api.ts';
import { seeded } from './seeded.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A machine's own clock: goes a little faster or slower than others, and stands anywhere. While the process is stopped no timer fires. */
class OwnClock implements Clock {
  readonly #time: VirtualClock;
  readonly #rate: number;
  readonly #offset: number;
  #stopped = false;
  #due: (() => void)[] = [];

  constructor(time: VirtualClock, rate: number, offset: number) {
    this.#time = time;
    this.#rate = rate;
    this.#offset = offset;
  }

  now(): number {
    return this.#time.now() * this.#rate + this.#offset;
  }

  after(ms: number, callback: () => void): () => void {
    const run = () => (this.#stopped ? void this.#due.push(run) : callback());
    const callOff = this.#time.after(ms / this.#rate, run);
    return () => {
      callOff();
      this.#due = this.#due.filter((each) => each !== run);
    };
  }

  /** SIGSTOP. */
  stop(): void {
    this.#stopped = true;
  }

  /** SIGCONT. */
  goOn(): void {
    this.#stopped = false;
    for (const run of this.#due.splice(0)) run();
  }
}

class Candidate {
  readonly election: LeaderElection;
  readonly clock: OwnClock;
  readonly #end = new AbortController();
  readonly done: Promise<void>;
  working = false;

  constructor(
    name: string,
    time: VirtualClock,
    client: Pick<KubeClient, 'get' | 'create' | 'merge'>,
    drawn: { readonly seed: number; readonly rate: number },
  ) {
    const random = seeded(drawn.seed);
    this.clock = new OwnClock(time, drawn.rate, random() * 1e9);
    this.election = new LeaderElection({
      client: client as KubeClient,
      namespace: 'sheath-system',
      name: 'sheath-controller',
      identity: name,
      clock: this.clock,
      wall: () => random() * 1e12,
      random,
    });
    this.done = this.election.run((signal) => this.#work(signal), this.#end.signal);
  }

  async #work(signal: AbortSignal): Promise<void> {
    this.working = true;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.working = false;
  }

  stop(): Promise<void> {
    this.#end.abort();
    return this.done;
  }
}

const calm: () => Fate = () => ({ there: 5, back: 5 });

async function untilLed(time: VirtualClock, candidates: readonly Candidate[], within: number) {
  const began = time.now();
  while (time.now() - began <= within) {
    if (candidates.some(({ election, working }) => election.leading && working)) return time.now() - began;
    await time.advance(50);
  }
  return assert.fail(`nobody leads after ${within} ms`);
}

describe('leader election', () => {
  let time: VirtualClock;
  let api: FlakyApi;
  const running: Candidate[] = [];
  beforeEach(() => {
    time = new VirtualClock();
    api = new FlakyApi(time);
  });
  afterEach(async () => {
    const ended = Promise.all(running.splice(0).map((candidate) => candidate.stop()));
    await time.advance(20_000);
    await ended;
  });
  const candidate = (name: string, fate = calm, rate = 1) => {
    const made = new Candidate(name, time, api.client(fate), { seed: running.length + 1, rate });
    running.push(made);
    return made;
  };

  it('makes the first one leader at once, and keeps it', async () => {
    const first = candidate('a');
    await untilLed(time, [first], 200);
    const second = candidate('b');
    await time.advance(600_000);
    assert.ok(first.election.leading && first.working);
    assert.ok(!second.election.leading && !second.working);
    assert.equal(second.election.holder, 'a');
    assert.ok(api.writes < 320, `${api.writes} writes in ten minutes`);
  });

  it('replaces a leader that died within the time of the lease', async () => {
    for (const offset of [0, 700, 1400, 2100, 2900]) {
      const first = candidate('first');
      await untilLed(time, [first], 40_000);
      const second = candidate('second');
      await time.advance(10_000 + offset);
      first.clock.stop();
      const took = await untilLed(time, [second], 20_000);
      assert.ok(took <= LEASE_TIMES.duration + 100, `${took} ms`);
      await Promise.all([second.stop(), time.advance(3_000)]);
      first.clock.goOn();
      await Promise.all([first.stop(), time.advance(3_000)]);
      running.length = 0;
    }
  });

  it('gives the lease back when it is told to end', async () => {
    const first = candidate('a');
    await untilLed(time, [first], 200);
    const second = candidate('b');
    await time.advance(5_000);
    const ended = first.stop();
    const took = await untilLed(time, [second], 5_000);
    await ended;
    assert.ok(took <= 2_500, `${took} ms`);
  });

  it('stops by itself before others may begin, when the API is away', async () => {
    let cut = false;
    const first = candidate('a', () => ({ there: 5, back: 5, ...(cut && { lost: 'there' }) }));
    await untilLed(time, [first], 200);
    await time.advance(5_000);
    cut = true;
    await time.advance(LEASE_TIMES.deadline);
    assert.ok(!first.election.leading && !first.working);
    cut = false;
    await untilLed(time, [first], 6_000);
  });

  it('never has two leaders, whatever the network, the clocks and the processes do', async function () {
    this.timeout(120_000);
    const schedule = fc.array(
      fc.record({
        after: fc.integer({ min: 500, max: 20_000 }),
        who: fc.integer({ min: 0, max: 2 }),
        what: fc.constantFrom('stop', 'go', 'end'),
      }),
      { maxLength: 12 },
    );
    const rates = fc.array(fc.double({ min: 0.95, max: 1.05, noNaN: true }), { minLength: 3, maxLength: 3 });
    let led = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer(), rates, schedule, async (seed, drawn, steps) => {
        const world = new VirtualClock();
        const shared = new FlakyApi(world);
        const born = (i: number, name: string) => {
          const client = shared.client(badNetwork(seed + i));
          return new Candidate(name, world, client, { seed: seed ^ i, rate: drawn[i] ?? 1 });
        };
        const all = [born(0, 'a'), born(1, 'b'), born(2, 'c')];
        const watched = [...all];
        const pass = async (ms: number) => {
          for (let spent = 0; spent < ms; spent += 250) {
            await world.advance(250);
            const leaders = watched.filter(({ election }) => election.leading).length;
            assert.ok(leaders <= 1, `${leaders} leaders`);
            led += leaders;
          }
        };
        for (const [index, { after, who, what }] of steps.entries()) {
          await pass(after);
          if (what === 'stop') all[who]?.clock.stop();
          else if (what === 'go') all[who]?.clock.goOn();
          else {
            void all[who]?.stop();
            const next = born(who, `${who}-${index}`);
            all[who] = next;
            watched.push(next);
          }
        }
        await pass(40_000);
        for (const each of watched) {
          each.clock.goOn();
          void each.stop();
        }
        await world.advance(30_000);
      }),
      { numRuns: 40 },
    );
    assert.ok(led > 0, 'nobody ever led');
  });
});

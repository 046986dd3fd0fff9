import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WorkQueue } from '../../operator/workqueue.ts';
import { settle, VirtualClock } from './virtual-clock.ts';

describe('the workqueue', () => {
  const random = () => 1;
  let clock: VirtualClock;
  beforeEach(() => {
    clock = new VirtualClock();
  });

  /** A worker that waits to be told to go on. */
  function gated() {
    const worked: string[] = [];
    const gates: (() => void)[] = [];
    const work = async (key: string) => {
      worked.push(key);
      await new Promise<void>((resolve) => gates.push(resolve));
    };
    const open = async () => {
      gates.shift()?.();
      await settle();
    };
    return { worked, work, open };
  }

  it('is stingy: a key added a hundred times before its turn is worked on once', async () => {
    const { worked, work, open } = gated();
    const queue = new WorkQueue({ work, clock, random });
    queue.add('busy');
    for (let i = 0; i < 100; i += 1) queue.add('a');
    await open();
    await open();
    await open();
    assert.deepEqual(worked, ['busy', 'a']);
  });

  it('gives a key that was added while it is worked on one more turn, and never two at once', async () => {
    const { worked, work, open } = gated();
    const queue = new WorkQueue({ work, clock, random, workers: 3 });
    queue.add('a');
    queue.add('a');
    queue.add('a');
    await settle();
    assert.deepEqual(worked, ['a']);
    await open();
    assert.deepEqual(worked, ['a', 'a']);
    await open();
    assert.deepEqual(worked, ['a', 'a']);
  });

  it('does what is asked for soon when the clock was set forward past what was planned', async () => {
    const { worked, work } = gated();
    let ahead = 0;
    const queue = new WorkQueue({
      work,
      random,
      clock: { now: () => clock.now() + ahead, after: (ms, callback) => clock.after(ms, callback) },
    });
    queue.addAfter('a', 600_000);
    ahead = 3_600_000;
    queue.addAfter('a', 0);
    await clock.advance(1);
    assert.deepEqual(worked, ['a']);
  });

  it('is fair: keys have their turns in the order in which they came', async () => {
    const { worked, work, open } = gated();
    const queue = new WorkQueue({ work, clock, random });
    for (const key of ['a', 'b', 'c', 'b', 'a']) queue.add(key);
    for (let i = 0; i < 5; i += 1) await open();
    assert.deepEqual(worked, ['a', 'b', 'c', 'a']);
  });

  it('works on several keys at once when it may', async () => {
    const { worked, work } = gated();
    const queue = new WorkQueue({ work, clock, random, workers: 2 });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await settle();
    assert.deepEqual(worked, ['a', 'b']);
  });

  it('brings a key back after its time, at the earliest of several', async () => {
    const worked: number[] = [];
    const queue = new WorkQueue({ work: async () => void worked.push(clock.now()), clock, random });
    const start = clock.now();
    queue.addAfter('a', 500);
    queue.addAfter('a', 100);
    queue.addAfter('a', 300);
    await clock.advance(1000);
    assert.deepEqual(
      worked.map((at) => at - start),
      [100],
    );
  });

  it('tries a key that failed again after a growing time, and forgets that when it went well', async () => {
    const at: number[] = [];
    const start = clock.now();
    const outcomes = [false, false, false, true, false];
    const queue = new WorkQueue({
      async work() {
        at.push(clock.now() - start);
        if (outcomes.shift() === false) throw new Error('not yet');
      },
      clock,
      random,
    });
    queue.add('a');
    await clock.advance(10_000);
    assert.deepEqual(at, [0, 100, 300, 700]);
    queue.add('a');
    await clock.advance(150);
    assert.deepEqual(at, [0, 100, 300, 700, 10_000, 10_100]);
  });

  it('ends with what is being worked on, and starts nothing more', async () => {
    const { worked, work, open } = gated();
    const queue = new WorkQueue({ work, clock, random });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    let closed = false;
    const closing = queue.close().then(() => {
      closed = true;
    });
    queue.add('d');
    await clock.advance(100);
    assert.equal(closed, false);
    await open();
    await closing;
    assert.deepEqual(worked, ['a']);
  });

  it('whatever happens: never one key twice at once, and every add is followed by a turn that began after it', async () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), wait: fc.nat(30), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, workers) => {
          const time = new VirtualClock();
          const busy = new Set<string>();
          const began = new Map<string, number>();
          let tick = 0;
          const queue = new WorkQueue<string>({
            workers,
            clock: time,
            random: Math.random,
            async work(key) {
              assert.equal(busy.has(key), false);
              assert.ok(busy.size < workers);
              busy.add(key);
              began.set(key, ++tick);
              await new Promise<void>((resolve) => time.after(7, resolve));
              busy.delete(key);
              if (steps[tick % steps.length]?.fails === true && tick < 40) throw new Error('again');
            },
          });
          const added = new Map<string, number>();
          for (const { key, wait } of steps) {
            added.set(key, ++tick);
            queue.add(key);
            await time.advance(wait);
          }
          await time.advance(120_000);
          for (const [key, at] of added) assert.ok((began.get(key) ?? 0) > at, key);
        },
      ),
      { numRuns: 20 },
    );
  });
});

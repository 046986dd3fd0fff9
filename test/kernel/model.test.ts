// kernel suite: kernels newest, memory 2G, timeout 600
/**
 * A real kernel keeps the contract that the simulation's model keeps, in `test/simulation/model.test.ts`; and the two look alike
 * after each step of random walks: `SHEATH_WALK_SEED=N` takes the same again, `SHEATH_WALKS` is how many.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { STORIES, type Story } from '../simulation/contract/long.ts';
import { machineContract } from '../simulation/contract/machines.ts';
import { SIZE, Walk, walks } from '../simulation/contract/random.ts';
import { sessionContract } from '../simulation/contract/sessions.ts';
import { ModelWorld } from '../simulation/model-world.ts';
import { RealWorld } from './model/real-world.ts';

const SEED = Number(process.env.SHEATH_WALK_SEED ?? Date.now() % 2 ** 31);
const WALKS = Number(process.env.SHEATH_WALKS ?? 2);

let stories: readonly Promise<PromiseSettledResult<void>>[] = [];

async function play(world: RealWorld, tell: Story['tell']): Promise<void> {
  try {
    await tell(world);
  } finally {
    await world.close();
  }
}

describe('a real kernel', function () {
  this.timeout(60_000);
  let world: RealWorld;
  before(async function () {
    this.timeout(240_000);
    world = await RealWorld.create('model', 3);
    // They mostly wait, and need not wait for anybody.
    for (const [at, { tell }] of STORIES.entries()) {
      const own = await RealWorld.create(`story${at}`, 2);
      stories = [...stories, Promise.allSettled([play(own, tell)]).then(([result]) => result)];
    }
  });
  after(() => world?.close());

  sessionContract(() => world);
  machineContract(() => world);

  it(`and looks like the model after each step of random walks, seed ${SEED}`, async () => {
    const walk = new Walk({ real: world, model: new ModelWorld(SIZE) });
    // Above all generations of the contract.
    let nth = 10;
    await fc.assert(
      fc.asyncProperty(walks, (steps) => {
        nth += 1;
        return walk.go(steps, nth);
      }),
      { seed: SEED, numRuns: WALKS, endOnFailure: true },
    );
  }).timeout(60_000 * WALKS);
});

describe('minutes of a real kernel', function () {
  this.timeout(300_000);
  for (const [at, { title }] of STORIES.entries())
    it(title, async () => {
      const told = await stories[at];
      assert.ok(told);
      if (told.status === 'rejected') assert.ifError(told.reason);
    });
});

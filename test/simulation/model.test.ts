/** The model of the simulation keeps the contract that a real kernel keeps (`test/kernel/model.test.ts`). */
import fc from 'fast-check';
import { STORIES } from './contract/long.ts';
import { machineContract } from './contract/machines.ts';
import { SIZE, Walk, walks } from './contract/random.ts';
import { sessionContract } from './contract/sessions.ts';
import { ModelWorld } from './model-world.ts';

describe("the simulation's kernels", () => {
  const world = new ModelWorld(3);
  sessionContract(() => world);
  machineContract(() => world);

  it('looks the same whatever the chances of its network', async () => {
    const walk = new Walk({ real: new ModelWorld(SIZE, 1), model: new ModelWorld(SIZE, 2) });
    let nth = 0;
    await fc.assert(
      fc.asyncProperty(walks, (steps) => {
        nth += 1;
        return walk.go(steps, nth);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });

  for (const { title, tell } of STORIES) it(title, () => tell(new ModelWorld(2)));
});

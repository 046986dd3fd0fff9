/** The simulation's API server, and a real one, keep one contract; and answer alike to whatever is written. `SHEATH_SEED=N`: the same again. */
import fc from 'fast-check';
import { apiContract, Nodes } from './contract/api.ts';
import { pictureContract } from './contract/pictures.ts';
import { writes, writeToBoth } from './contract/random-api.ts';
import { ModelApi } from './model-api.ts';
import { RealApi } from './real-api.ts';

const SEED = Number(process.env.SHEATH_SEED ?? Date.now() % 2 ** 31);

describe("the simulation's API server", function () {
  this.timeout(60_000);
  const model = new ModelApi(SEED);
  let real: RealApi;

  before(async function () {
    this.timeout(180_000);
    void model.run();
    real = await RealApi.start();
  });
  after(async () => {
    await model.stop();
    await real?.stop();
  });

  describe('the model', () => {
    apiContract(() => model);
    describe('whoever watches it', () => pictureContract(() => model));
  });
  describe('a real one', () => {
    apiContract(() => real);
    describe('whoever watches it', () => pictureContract(() => real));
  });

  it(`answers as a real one does, whatever is written, seed ${SEED}`, async function () {
    this.timeout(120_000);
    const [one, other] = [new Nodes(real.client), new Nodes(model.client)];
    await fc.assert(
      fc.asyncProperty(writes, (list) => writeToBoth(one, other, list)),
      { seed: SEED, numRuns: 60 },
    );
  });
});

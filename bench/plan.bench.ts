/** `plan()` of records that it has not seen before, against `JSON.parse` of the same records. */
import { records } from './cluster.ts';
import { wanted } from './mesh.ts';
import { median, row } from './rows.ts';

const ROUNDS = 15;

for (const count of [500, 5000]) {
  const text = JSON.stringify(records(count).others);
  const [parsing, planning]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { self, others } = records(count);
    parsing.push(timed(() => JSON.parse(text)));
    planning.push(timed(() => wanted(self, others, new Map())));
  }
  const where = `${count} records`;
  row({ what: 'JSON.parse of records', where, value: median(parsing), unit: 'ms' });
  row({ what: 'plan()', where, value: median(planning), unit: 'ms' });
  row({
    what: 'plan() : JSON.parse',
    where,
    value: median(planning) / median(parsing),
    unit: 'x',
    ...(count === 5000 && { mark: { atMost: 3 } }),
  });
}

function timed(work: () => unknown): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

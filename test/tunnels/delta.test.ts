import assert from 'node:assert/strict';
import fc from 'fast-check';
import { changedItems, Delta } from '../../tunnels/delta.ts';

type Step =
  | { readonly type: 'want' | 'wrote'; readonly key: string; readonly value: number }
  | { readonly type: 'unwant' | 'removed'; readonly key: string }
  | { readonly type: 'read'; readonly entries: readonly (readonly [string, number])[] };

const key = fc.constantFrom('a', 'b', 'c', 'd');
const value = fc.integer({ min: 0, max: 2 });
const steps = fc.array(
  fc.oneof(
    fc.record({ type: fc.constantFrom('want' as const, 'wrote' as const), key, value }),
    fc.record({ type: fc.constantFrom('unwant' as const, 'removed' as const), key }),
    fc.record({ type: fc.constant('read' as const), entries: fc.array(fc.tuple(key, value)) }),
  ),
);

/** The twin: two maps, compared from end to end. */
function apply(step: Step, wanted: Map<string, number>, actual: Map<string, number>): void {
  switch (step.type) {
    case 'want':
      wanted.set(step.key, step.value);
      break;
    case 'unwant':
      wanted.delete(step.key);
      break;
    case 'wrote':
      actual.set(step.key, step.value);
      break;
    case 'removed':
      actual.delete(step.key);
      break;
    case 'read':
      actual.clear();
      for (const [name, number] of step.entries) actual.set(name, number);
  }
}

function applyToDelta(step: Step, delta: Delta<number, number>): void {
  switch (step.type) {
    case 'want':
      delta.want(step.key, step.value);
      break;
    case 'unwant':
      delta.unwant(step.key);
      break;
    case 'wrote':
      delta.wrote(step.key, step.value);
      break;
    case 'removed':
      delta.removed(step.key);
      break;
    case 'read':
      delta.read(new Map(step.entries));
  }
}

describe('Delta', () => {
  it('knows the difference as two maps compared from end to end do', () => {
    fc.assert(
      fc.property(steps, (walk: readonly Step[]) => {
        const delta = new Delta<number, number>((a, b) => a === b);
        const wanted = new Map<string, number>();
        const actual = new Map<string, number>();
        for (const step of walk) {
          applyToDelta(step, delta);
          apply(step, wanted, actual);
          const updates = [...wanted].filter(([name, number]) => actual.get(name) !== number);
          const removals = [...actual.keys()].filter((name) => !wanted.has(name));
          assert.deepEqual(
            delta
              .updates()
              .map(({ key: name, wanted: number }) => [name, number])
              .sort(),
            updates.sort(),
          );
          assert.deepEqual(
            delta
              .removals()
              .map(({ key: name }) => name)
              .sort(),
            removals.sort(),
          );
        }
      }),
    );
  });

  it('tells what another hand did from what is new', () => {
    const delta = new Delta<number, number>((a, b) => a === b);
    delta.want('a', 1);
    delta.read(new Map());
    assert.deepEqual(
      delta.updates().map(({ repaired }) => repaired),
      [false],
    );
    delta.wrote('a', 1);
    delta.read(new Map([['b', 2]]));
    assert.deepEqual(
      delta.updates().map(({ repaired }) => repaired),
      [true],
    );
    assert.deepEqual(
      delta.removals().map(({ repaired }) => repaired),
      [true],
    );
    delta.want('a', 3);
    assert.deepEqual(
      delta.updates().map(({ repaired }) => repaired),
      [false],
    );
  });
});

describe('changedItems', () => {
  it('turns the one list into the other, whatever changed', () => {
    const pool = Array.from({ length: 120 }, (_, id) => ({ id }));
    const list = fc.uniqueArray(fc.integer({ min: 0, max: 119 }));
    fc.assert(
      fc.property(list, list, (from, to) => {
        const before = from.flatMap((i) => pool[i] ?? []);
        const after = to.flatMap((i) => pool[i] ?? []);
        const { gone, come } = changedItems(before, after);
        const result = new Set(before);
        for (const item of gone) result.delete(item);
        for (const item of come) result.add(item);
        assert.deepEqual(new Set(result), new Set(after));
      }),
    );
  });

  it('names no more than what changed, when items come and go in sorted lists', () => {
    const pool = Array.from({ length: 1000 }, (_, id) => ({ id }));
    const few = fc.uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(few, few, (left, right) => {
        const before = pool.filter(({ id }) => !left.includes(id));
        const after = pool.filter(({ id }) => !right.includes(id));
        const { gone, come } = changedItems(before, after);
        assert.ok(gone.length + come.length <= left.length + right.length);
      }),
    );
  });
});

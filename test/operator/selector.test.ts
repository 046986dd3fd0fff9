import assert from 'node:assert/strict';
import { type LabelSelector, selects } from '../../operator/config/selector.ts';

const LABELS = { pool: 'blue', tier: 'web' };

describe('a label selector', () => {
  const cases: readonly (readonly [string, LabelSelector, boolean])[] = [
    ['that is empty takes in everything', {}, true],
    ['wants each label', { matchLabels: { pool: 'blue', tier: 'web' } }, true],
    ['misses on one value', { matchLabels: { pool: 'blue', tier: 'db' } }, false],
    ['misses on a label that is not there', { matchLabels: { constructor: 'x' } }, false],
    ['In', { matchExpressions: [{ key: 'pool', operator: 'In', values: ['red', 'blue'] }] }, true],
    ['In without the label', { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }, false],
    ['NotIn', { matchExpressions: [{ key: 'pool', operator: 'NotIn', values: ['blue'] }] }, false],
    [
      'NotIn without the label',
      { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] },
      true,
    ],
    ['Exists', { matchExpressions: [{ key: 'pool', operator: 'Exists' }] }, true],
    ['DoesNotExist', { matchExpressions: [{ key: 'pool', operator: 'DoesNotExist' }] }, false],
    [
      'labels and expressions together',
      { matchLabels: { pool: 'blue' }, matchExpressions: [{ key: 'zone', operator: 'Exists' }] },
      false,
    ],
  ];
  for (const [name, selector, expected] of cases)
    it(name, () => assert.equal(selects(selector, LABELS), expected));
});

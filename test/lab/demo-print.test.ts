import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { Narrator } from '../../lab/demo-print.ts';

describe('Narrator', () => {
  it('tells steps with their time and keeps every claim', () => {
    const out = new PassThrough();
    let now = 1000;
    const narrator = new Narrator(out, () => now);
    now = 2500;
    narrator.step('In clear');
    narrator.claim('nothing lost', true);
    narrator.claim('nothing readable', false);
    const text = String(out.read());
    assert.match(text, /^\n1\. In clear +1\.5s\n {3}yes nothing lost\n {3}NO {2}nothing readable\n$/);
    assert.ok(text.split('\n').every((line) => line.length <= 80));
    assert.equal(narrator.end(), false);
    assert.match(String(out.read()), /^\n1 of 2 claims DO NOT hold\.\n$/);
    assert.deepEqual(
      narrator.claims.map(({ holds }) => holds),
      [true, false],
    );
  });
});

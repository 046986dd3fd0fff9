import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { dumpFrom, hexdump, Narrator } from '../../lab/demo-print.ts';

const bytes = Buffer.concat([Buffer.alloc(20, 0xff), Buffer.from('hello in the clear'), Buffer.alloc(5)]);

describe('hexdump', () => {
  it('shows offset, bytes and text, within 76 columns', () => {
    assert.deepEqual(hexdump(bytes, 9), [
      '0000  ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff  ................',
      '0010  ff ff ff ff 68 65 6c 6c 6f 20 69 6e 20 74 68 65  ....hello in the',
      '0020  20 63 6c 65 61 72 00 00 00 00 00                  clear.....',
    ]);
  });

  it('shows no more lines than asked for', () => assert.equal(hexdump(bytes, 2).length, 2));

  it('starts where the interesting part is', () => {
    assert.match(dumpFrom(bytes, bytes.indexOf('hello'), 1)[0] ?? '', /^0010 /);
    assert.match(dumpFrom(bytes, -1, 1)[0] ?? '', /^0000 /);
  });
});

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
    assert.deepEqual(
      narrator.claims.map(({ holds }) => holds),
      [true, false],
    );
  });
});

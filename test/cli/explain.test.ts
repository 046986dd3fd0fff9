import assert from 'node:assert/strict';
import { explain } from '../../cli/explain.ts';

describe('explain', () => {
  it('is one line, whatever the error says', () => {
    assert.deepEqual(explain(new Error(' a\n  b\tc\n')), { message: 'a; b c', exitCode: 1 });
  });

  it('lets no control character of an API server reach the terminal', () => {
    for (const thrown of [new Error('no\u001b]0;x\u0007\u009b2J\r!'), 'no\u001b]0;x\u0007\u009b2J\r!']) {
      assert.equal(explain(thrown).message, 'no?]0;x??2J?!');
    }
  });
});

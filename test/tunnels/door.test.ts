/** Strict mode on the machine's own kernel. */
import { runInNamespace } from './namespace.ts';

describe('strict mode', () => {
  it('what the door stops', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'door.ts', userspace: true });
  });

  it("somebody's hand at the door", function () {
    this.timeout(120_000);
    runInNamespace({ file: 'hands.ts', userspace: true });
  });
});

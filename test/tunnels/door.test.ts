/** Strict mode on the machine's own kernel. */
import { runInNamespace } from './namespace.ts';

describe('strict mode and what is before it', () => {
  it('what the door stops', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'door.ts', userspace: true });
  });

  it("somebody's hand at the door", function () {
    this.timeout(120_000);
    runInNamespace({ file: 'hands.ts', userspace: true });
  });

  it('when it shuts and opens', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'order.ts', userspace: true });
  });

  it('what is kept for the next boot', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'boot.ts', userspace: true });
  });

  it('what a machine is told before it joins', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'preflight.ts', userspace: true });
  });
});

// kernel suite: kernels newest, memory 1G
/** Strict mode's door on real kernels. */
import { runInNamespace } from '../tunnels/namespace.ts';

describe('strict mode on a real kernel', () => {
  it('what the door stops', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'door.ts', userspace: false });
  });

  it("somebody's hand at the door", function () {
    this.timeout(120_000);
    runInNamespace({ file: 'hands.ts', userspace: false });
  });

  it('when it shuts and opens', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'order.ts', userspace: false });
  });

  it('what a machine is told before it joins', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'preflight.ts', userspace: false });
  });
});

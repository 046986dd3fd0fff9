/** On a real kernel with WireGuard. */
import { runInNamespace } from '../tunnels/namespace.ts';

describe('tunnels on a real kernel', () => {
  it("the dataplane, with the kernel's WireGuard", function () {
    this.timeout(300_000);
    runInNamespace({ file: 'dataplane.ts', userspace: false });
  });

  it('what is in the way', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'foreign.ts', userspace: false });
  });

  it('a storm of notices', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'storm.ts', userspace: false });
  });

  it('two generations, and settings that change', function () {
    this.timeout(180_000);
    runInNamespace({ file: 'generations.ts', userspace: false });
  });
});

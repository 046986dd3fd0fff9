/** On the machine's own kernel, with wireguard-go. */
import { runInNamespace } from './namespace.ts';

describe('tunnels', () => {
  it('the dataplane, with wireguard-go', function () {
    this.timeout(180_000);
    runInNamespace({ file: 'dataplane.ts', userspace: true });
  });

  it('what is in the way', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'foreign.ts', userspace: true });
  });

  it('a storm of notices', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'storm.ts', userspace: true });
  });

  it('two generations, and settings that change', function () {
    this.timeout(180_000);
    runInNamespace({ file: 'generations.ts', userspace: true });
  });
});

/** On the machine's own kernel, with wireguard-go. */
import { DATAPLANE_SUITES, runInNamespace } from './namespace.ts';

describe('tunnels', () => {
  for (const [title, file] of [...DATAPLANE_SUITES, ['what only WireGuard has', 'wireguard.ts'] as const]) {
    it(`${title}, with wireguard-go`, function () {
      this.timeout(180_000);
      runInNamespace({ file, userspace: true });
    });
  }

  it('a storm of notices', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'storm.ts', userspace: true });
  });
});

// kernel suite: timeout 900
/** On a real kernel with WireGuard and IPsec. */
import { DATAPLANE_SUITES, runInNamespace } from '../tunnels/namespace.ts';

describe('tunnels on a real kernel', () => {
  for (const driver of ['wireguard', 'ipsec'] as const) {
    for (const [title, file] of DATAPLANE_SUITES) {
      it(`${title}, with ${driver}`, function () {
        this.timeout(600_000);
        runInNamespace({ file, userspace: false, driver });
      });
    }
  }

  it('what only WireGuard has', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'wireguard.ts', userspace: false });
  });

  it('a storm of notices', function () {
    this.timeout(60_000);
    runInNamespace({ file: 'storm.ts', userspace: false });
  });
});

// kernel suite: kernels ends, timeout 300
import { runInNamespace } from '../tunnels/namespace.ts';

describe('preflight of IPsec', () => {
  it('on a kernel with ESP', function () {
    this.timeout(120_000);
    runInNamespace({ file: 'preflight-ipsec.ts', userspace: false });
  });
});

// kernel suite: kernels newest, memory 3G, timeout 900
import { strictSuite } from './strict/suite.ts';

strictSuite({
  encryption: 'wireguard',
  onlyIPv6: true,
  hands: ['wg set sheath1 peer "$(wg show sheath1 peers | head -1)" remove'],
});

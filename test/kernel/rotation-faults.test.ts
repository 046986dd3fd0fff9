// kernel suite: kernels newest, memory 3G, timeout 900
import { wireguard } from './mesh/wireguard-view.ts';
import { faultsSuite } from './rotation/faults-suite.ts';

faultsSuite(wireguard, 8);

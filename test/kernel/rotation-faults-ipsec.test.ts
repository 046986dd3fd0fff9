// kernel suite: kernels newest, memory 3G, timeout 900
import { ipsec } from './mesh/ipsec-view.ts';
import { faultsSuite } from './rotation/faults-suite.ts';

faultsSuite(ipsec, 3);

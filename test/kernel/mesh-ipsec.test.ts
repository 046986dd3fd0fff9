// kernel suite: kernels newest, memory 3G, timeout 900
import { ipsec } from './mesh/ipsec-view.ts';
import { meshSuite } from './mesh/suite.ts';

meshSuite(ipsec);

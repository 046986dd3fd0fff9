// kernel suite: kernels newest, memory 3G, timeout 900
import { meshSuite } from './mesh/suite.ts';
import { ipsec } from './mesh/ipsec-view.ts';

meshSuite(ipsec);

// kernel suite: kernels newest, memory 3G, timeout 900
import { ipsec } from './mesh/ipsec-view.ts';
import { rotationSuite } from './rotation/suite.ts';

rotationSuite(ipsec);

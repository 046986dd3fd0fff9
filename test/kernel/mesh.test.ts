// kernel suite: kernels newest, memory 3G, timeout 900
import { meshSuite } from './mesh/suite.ts';
import { wireguard } from './mesh/wireguard-view.ts';

meshSuite(wireguard);

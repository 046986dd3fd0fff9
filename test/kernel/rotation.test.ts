// kernel suite: kernels newest, memory 3G, timeout 900
import { wireguard } from './mesh/wireguard-view.ts';
import { rotationSuite } from './rotation/suite.ts';

rotationSuite(wireguard);

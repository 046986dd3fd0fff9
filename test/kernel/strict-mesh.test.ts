// kernel suite: kernels newest, memory 3G, timeout 600
import { strictSuite } from './strict/suite.ts';

strictSuite({ encryption: 'wireguard' });

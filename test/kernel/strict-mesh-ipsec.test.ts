// kernel suite: kernels newest, memory 3G, timeout 900
import { strictSuite } from './strict/suite.ts';

strictSuite({ encryption: 'ipsec' });

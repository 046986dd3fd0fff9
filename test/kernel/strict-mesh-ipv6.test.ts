// kernel suite: kernels newest, memory 3G, timeout 900
import { strictSuite } from './strict/suite.ts';

for (const encryption of ['wireguard', 'ipsec'] as const) strictSuite({ encryption, onlyIPv6: true });

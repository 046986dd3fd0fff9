// kernel suite: kernels newest, memory 2G, timeout 900
/** One suite for every tunnel driver, on a real kernel: three nodes, with packets between their pods. */
import { DRIVERS } from './drivers/mesh.ts';
import { describeDriver } from './drivers/suite.ts';

for (const driver of DRIVERS) describeDriver(driver);

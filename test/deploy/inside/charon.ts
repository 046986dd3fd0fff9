/** Run as the agent's container would: `charon.ts FOLDER`. Starts a charon of our own, and prints on which UDP ports somebody listens. */

import { takenUdpPorts } from '../../../tunnels/checks/udp-ports.ts';
import { CHARON } from '../../../tunnels/ipsec/charon.ts';
import { ownDaemon } from '../../../tunnels/ipsec/daemon.ts';

const [folder = ''] = process.argv.slice(2);
const daemon = ownDaemon({ folder, program: CHARON.program });
await daemon.ready({ fwmark: 0x1000, ports: CHARON.ports });
console.log(JSON.stringify([...(await takenUdpPorts())].sort((a, b) => a - b)));
await daemon.stop();
daemon.close();

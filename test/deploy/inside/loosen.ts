/** Run as the agent's container would: `loosen.ts ROOT STATE_DIR DEVICE`. Prints what went wrong. */
import { Outcome } from '../../../tunnels/failure.ts';
import { Sysctls } from '../../../tunnels/sysctl.ts';

const [root = '', stateDir = '', device = ''] = process.argv.slice(2);
const outcome = new Outcome();
await new Sysctls({ root, stateDir }).set({ ours: [device], underlay: [] }, outcome);
console.log(JSON.stringify(outcome.errors.map(({ code }) => code)));

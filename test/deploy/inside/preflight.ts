/** Run as the agent's container would: `preflight.ts FOLDER`. Prints which capabilities IPsec misses. */
import { resolveConfig } from '../../../operator/config/resolve.ts';
import { preflight } from '../../../tunnels/preflight.ts';

const [folder = ''] = process.argv.slice(2);
const { mesh } = resolveConfig([]);
const { cannot } = await preflight({ userspace: mesh.wireguard.userspace, mesh, ipsec: { folder } });
console.log(JSON.stringify(cannot.filter((text) => text.startsWith('ipsec: no CAP_'))));

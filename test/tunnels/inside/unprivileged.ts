/** A program without CAP_NET_ADMIN that tries; prints what came of it. */
import { driver, open, userspace } from './machine.ts';

const machine = await open({ userspace: userspace ? 'auto' : 'never' });
const shape = driver.desired({ self: 1, peers: [2], generations: [7] });
// The owner of /proc/sys may write there whatever its capabilities: no address of ours, no sysctl of the underlay.
const { errors, changes } = await machine.set({ ...shape, plan: { ...shape.plan, ownAddresses: [] } });
console.log(JSON.stringify({ codes: errors.map(({ code }) => code), changes }));
process.exit(0);

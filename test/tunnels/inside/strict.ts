/** Strict mode's plan: what the suites of the door share. */
import type { MeshPlan } from '../../../mesh/types.ts';
import type { DesiredState } from '../../../tunnels/dataplane.ts';
import { mesh, prefix } from '../states.ts';

export const STRICT = {
  mode: 'strict',
  clusterPrefixes: [prefix('10.244.0.0/16'), prefix('fd00:10:244::/48')],
  nodePrefixes: [prefix('192.0.2.0/24'), prefix('2001:db8::/64')],
  exempt: [prefix('192.0.2.99/32'), prefix('2001:db8::99/128')],
} as const satisfies Partial<MeshPlan>;

/** Node 1 without a device. */
export const deviceless: MeshPlan = mesh({ self: 1, peers: [], generations: [] });
export const strict = (more: Partial<MeshPlan> = {}): MeshPlan => ({ ...deviceless, ...STRICT, ...more });

/** A state without devices: nobody asks for a key. */
export const wanted = (plan: MeshPlan): DesiredState => ({
  plan,
  routes: { routes: [], rules: [] },
  privateKey: () => {
    throw new Error('no device, no key');
  },
});

/** What is in the way of a mesh on this machine and not ours, found by a `set` that reads the kernel and writes nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parsePrefix } from '../../mesh/prefix.ts';
import type { DevicePlan, MeshPlan, RoutingConfig } from '../../mesh/types.ts';
import type { DataplaneError } from '../dataplane.ts';
import { DEVICE_NAMES } from '../devices/devices.ts';
import { Outcome } from '../failure.ts';
import { createParts } from '../parts.ts';
import type { DataplaneOptions } from '../ports.ts';
import { setAll } from '../set.ts';

/** Of documentation (RFC 5737, RFC 3849): only their families matter. */
export const PREFIXES = ['192.0.2.0/24', '2001:db8::/64'].flatMap((text) => parsePrefix(text) ?? []);

/** wireguard-go makes a device, and only then it gets our mark: one that is being made just now is no stranger's. */
const LOOKS = 4;
/** Milliseconds. */
const BETWEEN = 1000;

/** `DEVICE_FOREIGN`, `RULE_FOREIGN`, `TABLE_FOREIGN`, `MARK_FOREIGN`, each once, for either device. */
export async function foreignThings(
  options: DataplaneOptions,
  routing: RoutingConfig,
): Promise<readonly string[]> {
  let found = await look(options, routing);
  for (let again = 0; again < LOOKS && found.some(({ code }) => code === 'DEVICE_FOREIGN'); again += 1) {
    await sleep(BETWEEN);
    found = await look(options, routing);
  }
  return found.map(({ message }) => message);
}

async function look(
  options: DataplaneOptions,
  routing: RoutingConfig,
): Promise<readonly Pick<DataplaneError, 'code' | 'message'>[]> {
  const parts = createParts(options, { dry: true });
  try {
    const outcome = new Outcome();
    await setAll(
      parts,
      { plan: anyPlan(routing), routes: { routes: [], rules: [] }, privateKey: noKey },
      outcome,
    );
    return outcome.errors.filter(({ code }) => code.endsWith('_FOREIGN'));
  } finally {
    parts.driver.close();
    parts.firewall.close();
    parts.kernel.netlink.close();
  }
}

function noKey(): never {
  throw new Error('nothing is configured');
}

export function anyPlan(routing: RoutingConfig): MeshPlan {
  const devices = DEVICE_NAMES.map(
    (name, generation): DevicePlan => ({
      name,
      generation,
      driver: 'wireguard',
      port: 0,
      mtu: 1280,
      addresses: [],
      keepalive: 0,
      receiveOnly: false,
    }),
  );
  return {
    self: '',
    encryption: 'wireguard',
    mode: 'permissive',
    scope: 'pods',
    clusterPrefixes: [],
    nodePrefixes: [],
    devices,
    peers: [],
    refused: [],
    contested: [],
    routing,
    ownPrefixes: PREFIXES,
    ownAddresses: [],
    exempt: [],
  };
}

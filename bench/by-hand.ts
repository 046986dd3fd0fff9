/** The reference: the same device, peers and routes as our plan, by `wg syncconf` and `ip -batch`. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PrivateKey } from 'wireguard-tools-wrapper';
import { familyOfPrefix } from '../mesh/prefix.ts';
import type { MeshPlan, RoutePlan } from '../mesh/types.ts';
import { sh } from './machine.ts';

export interface ByHand {
  /** Milliseconds from the first program's start to the last one's end. */
  bringUp(): number;
}

/** Writes the files; they are not part of what is timed. The rules are left out: ours has them to do besides. */
export function byHand(
  mesh: { plan: MeshPlan; routes: RoutePlan; privateKey: PrivateKey },
  folder: string,
): ByHand {
  const conf = path.join(folder, 'wg.conf');
  const batch = path.join(folder, 'batch');
  writeFileSync(conf, configuration(mesh.plan, mesh.privateKey), { mode: 0o600 });
  writeFileSync(batch, routeLines(mesh.routes));
  const addresses = mesh.plan.devices.flatMap((device) => device.addresses);
  const setUp = [
    'ip link add byhand type wireguard',
    ...addresses.map((address) => `ip address add ${address} dev byhand`),
    'ip link set byhand mtu 1420 up',
  ].join('\n');
  return {
    bringUp() {
      const began = performance.now();
      sh(setUp);
      execFileSync('wg', ['syncconf', 'byhand', conf]);
      execFileSync('ip', ['-batch', batch]);
      return performance.now() - began;
    },
  };
}

function configuration(plan: MeshPlan, privateKey: PrivateKey): string {
  const head = `[Interface]\nPrivateKey = ${privateKey.reveal()}\nListenPort = 51831\nFwMark = 0x1000\n`;
  const peers = plan.peers.flatMap((peer) =>
    peer.links.map(
      ({ publicKey, port }) =>
        `[Peer]\nPublicKey = ${publicKey}\nEndpoint = ${peer.endpoint}:${port}\nAllowedIPs = ${peer.allowedIPs.join(', ')}\n`,
    ),
  );
  return [head, ...peers].join('\n');
}

function routeLines({ routes }: RoutePlan): string {
  const lines = routes.map(({ table, prefix, action }) => {
    if (action.type === 'throw') return `route add throw ${prefix} table ${table}`;
    const source = action.source === undefined || familyOfPrefix(prefix) === 6 ? '' : ` src ${action.source}`;
    return `route add ${prefix} dev byhand table ${table}${source}`;
  });
  return `${lines.join('\n')}\n`;
}

/** The reference: the same device, peers, routes, rules and firewall as ours, by `wg syncconf`, `ip -batch` and `nft -f`. */
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

/** The table as nft prints it; undefined where ours has none. */
export type Firewall = string | undefined;

interface Mesh {
  readonly plan: MeshPlan;
  readonly routes: RoutePlan;
  readonly privateKey: PrivateKey;
  readonly firewall: Firewall;
}

/** Writes the files; that is not part of what is timed. */
export function byHand(mesh: Mesh, folder: string): ByHand {
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 });
    return path.join(folder, name);
  };
  const conf = file('wg.conf', configuration(mesh.plan, mesh.privateKey));
  const batch = file('batch', routeLines(mesh.routes, 'byhand'));
  const rules = [4, 6].map((family) => file(`rules${family}`, ruleLines(mesh.routes, family)));
  const nft = mesh.firewall === undefined ? undefined : file('nft', mesh.firewall);
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
      if (nft !== undefined) execFileSync('nft', ['-f', nft]);
      execFileSync('ip', ['-4', '-batch', rules[0] ?? '']);
      execFileSync('ip', ['-6', '-batch', rules[1] ?? '']);
      return performance.now() - began;
    },
  };
}

/** For `ip -4 -batch` or `ip -6 -batch`. */
export function ruleLines({ rules }: RoutePlan, family: number): string {
  const lines = rules
    .filter((rule) => rule.family === family)
    .map((rule) => {
      const which =
        rule.kind === 'from' ? `from ${rule.from}` : `not from all fwmark ${rule.mark}/${rule.mask}`;
      return `rule add ${which} lookup ${rule.table} pref ${rule.priority}\n`;
    });
  return lines.join('');
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

/** For `ip -batch`. */
export function routeLines({ routes }: RoutePlan, device: string): string {
  const lines = routes.map(({ table, prefix, action }) => {
    if (action.type === 'throw') return `route add throw ${prefix} table ${table}`;
    const source = action.source === undefined || familyOfPrefix(prefix) === 6 ? '' : ` src ${action.source}`;
    return `route add ${prefix} dev ${device} table ${table}${source}`;
  });
  return `${lines.join('\n')}\n`;
}

/** The slow, obvious twin: what a desired state is in the words of `ip` and `wg`, and what the kernel has in the same words. */
import type { DesiredState } from '../../../tunnels/dataplane.ts';
import { ip, withWireGuard } from './machine.ts';

export function expectedLines({ plan, routes, privateKey }: DesiredState): string[] {
  const lines: string[] = [];
  for (const device of plan.devices) {
    lines.push(
      `device ${device.name} key ${privateKey(device.generation).publicKey()} port ${device.port} mark ${plan.routing.fwmark.mark}`,
    );
    for (const address of device.addresses) lines.push(`address ${address} dev ${device.name}`);
    for (const peer of plan.peers) {
      for (const link of peer.links.filter(({ generation }) => generation === device.generation)) {
        const allowed = [...peer.allowedIPs].sort().join(',');
        lines.push(
          `peer ${link.publicKey} dev ${device.name} to ${peer.endpoint}:${link.port} allows ${allowed}`,
        );
      }
    }
  }
  for (const { table, prefix, action } of routes.routes) {
    const way = action.type === 'throw' ? 'throw' : `dev ${action.device} src ${action.source}`;
    lines.push(`route ${prefix} ${way} table ${table}`);
  }
  for (const rule of routes.rules) {
    const mark =
      rule.kind === 'from' ? '' : ` fwmark 0x${rule.mark.toString(16)}/0x${rule.mask.toString(16)}`;
    const from = rule.kind === 'from' ? rule.from : 'all';
    const what = `${rule.kind === 'unmarked' ? 'not ' : ''}from ${from}${mark}`;
    lines.push(`rule${rule.family} ${rule.priority}: ${what} lookup ${rule.table}`);
  }
  return lines.sort();
}

export async function actualLines(): Promise<string[]> {
  const lines = [...routeLines('-4'), ...routeLines('-6'), ...ruleLines('4'), ...ruleLines('6')];
  for (const name of ['sheath0', 'sheath1']) {
    if (!ip('-o link').includes(` ${name}:`)) continue;
    const device = await withWireGuard((wireguard) => wireguard.show(name));
    lines.push(`device ${name} key ${device.publicKey} port ${device.listenPort} mark ${device.fwmark}`);
    for (const peer of device.peers) {
      const to = `${peer.endpoint?.address}:${peer.endpoint?.port}`;
      const allowed = [...peer.allowedIps].sort().join(',');
      lines.push(`peer ${peer.publicKey} dev ${name} to ${to} allows ${allowed}`);
    }
    for (const line of ip(`-o addr show dev ${name}`).split('\n')) {
      const text = /inet6? (\S+)/.exec(line)?.[1];
      if (text === undefined || text.startsWith('fe80')) continue;
      const whole = text.includes('/') ? text : `${text}/32`;
      lines.push(`address ${whole} dev ${name}`);
    }
  }
  return lines.sort();
}

interface IpRoute {
  readonly type?: string;
  readonly dst: string;
  readonly dev?: string;
  readonly prefsrc?: string;
  readonly table?: string;
}

function routeLines(family: string): string[] {
  const routes = JSON.parse(ip(`-j ${family} route show table all proto 83`) || '[]') as IpRoute[];
  return routes.map(({ type, dst, dev, prefsrc, table }) => {
    const whole = dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? 128 : 32}`;
    const way = type === 'throw' ? 'throw' : `dev ${dev} src ${prefsrc}`;
    return `route ${whole} ${way} table ${table}`;
  });
}

function ruleLines(family: string): string[] {
  return ip(`-${family} rule`)
    .split('\n')
    .filter((line) => line.includes('proto 83'))
    .map((line) => `rule${family} ${line.replace('\t', ' ').replace(' proto 83', '').trim()}`);
}

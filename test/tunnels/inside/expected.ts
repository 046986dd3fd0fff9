/** The slow, obvious twin: what a desired state is in the words of `ip` and the driver, and what the kernel has in the same words. */
import type { DesiredState } from '../../../tunnels/dataplane.ts';
import { driver, ip } from './machine.ts';

export function expectedLines(state: DesiredState): string[] {
  const { plan, routes } = state;
  const lines = [...driver.expected(state)];
  for (const device of plan.devices)
    for (const address of device.addresses) lines.push(`address ${address} dev ${device.name}`);
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
  for (const name of ['sheath0', 'sheath1'] as const) {
    if (!new RegExp(` ${name}[:@]`).test(ip('-o link'))) continue;
    lines.push(...(await driver.actual(name)));
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

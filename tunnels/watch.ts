/** What notices mean to us: what must be read again, and whether somebody has to be told. */
import type { MeshPlan } from '../mesh/types.ts';
import { DEVICE_NAMES } from './devices/devices.ts';
import type { Kernel } from './kernel.ts';
import type { Link, Notice } from './netlink/types.ts';
import { FLUSH_ADDRESS } from './routing/flush.ts';
import type { Routes } from './routing/routes.ts';
import type { Rules } from './routing/rules.ts';

export interface Judge {
  readonly kernel: Kernel;
  readonly routes: Routes;
  readonly rules: Rules;
}

/**
 * Our own writes come back as notices too. They say what is known already, and are recognised by that alone.
 * @returns what changed, in words, when it is of concern.
 */
export function judge(notice: Notice, { kernel, routes, rules }: Judge, plan?: MeshPlan): string | undefined {
  switch (notice.type) {
    case 'overrun':
      kernel.spoil('links', 'addresses', 'routes', 'rules');
      return 'more changed than the kernel could tell';
    case 'link':
      return judgeLink(notice.link, notice.removed, { kernel, ...(plan === undefined ? {} : { plan }) });
    case 'address':
      return judgeAddress(notice, { kernel, ...(plan === undefined ? {} : { plan }) });
    case 'route':
      if (!routes.surprises(notice.route, notice.removed)) return undefined;
      kernel.spoil('routes');
      return `route ${notice.route.prefix} table ${notice.route.table}`;
    case 'rule':
      if (!rules.surprises(notice.rule, notice.removed)) return undefined;
      kernel.spoil('rules');
      return `rule ${notice.rule.priority}`;
  }
}

interface Context {
  readonly kernel: Kernel;
  readonly plan?: MeshPlan;
}

function judgeLink(link: Link, removed: boolean, context: Context): string | undefined {
  const { kernel } = context;
  const known = kernel.known.links.find(({ index }) => index === link.index);
  const asKnown = removed ? known === undefined : known !== undefined && sameLink(known, link);
  if (asKnown) return undefined;
  kernel.spoil('links');
  const ours = [link.name, known?.name].some((name) => DEVICE_NAMES.some((own) => own === name));
  const carries = carriesOwnAddress(link.index, context);
  if (!ours && !carries) return undefined;
  // A link that goes, or goes down, takes its IPv4 routes with it without a word.
  kernel.spoil('addresses', 'routes');
  return `link ${link.name}`;
}

function judgeAddress(notice: Notice & { type: 'address' }, context: Context): string | undefined {
  const { kernel, plan } = context;
  const { index, address } = notice.address;
  if (address === FLUSH_ADDRESS) return undefined;
  const known = kernel.known.addresses.some((one) => one.index === index && one.address === address);
  if (known !== notice.removed) return undefined;
  // With its source address, or with the last address of its device, an IPv4 route goes without a word.
  kernel.spoil('addresses', 'routes');
  const own = plan?.ownAddresses.some((one) => one === address.split('/')[0]) ?? false;
  const name = kernel.known.links.find((link) => link.index === index)?.name;
  const ours = DEVICE_NAMES.some((device) => device === name);
  return own || ours || carriesOwnAddress(index, context) ? `address ${address}` : undefined;
}

function carriesOwnAddress(index: number, { kernel, plan }: Context): boolean {
  if (plan === undefined) return false;
  const own = new Set<string>(plan.ownAddresses);
  return kernel.known.addresses.some(
    (one) => one.index === index && own.has(one.address.split('/')[0] ?? ''),
  );
}

const sameLink = (a: Link, b: Link) =>
  a.name === b.name && a.mtu === b.mtu && a.up === b.up && a.alias === b.alias;

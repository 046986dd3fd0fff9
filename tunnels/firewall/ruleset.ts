/**
 * The nftables table `inet sheath`, as libnftables' JSON (libnftables-json(5)).
 *
 * `clamp`: TCP connections of pods are told the MTU of the tunnel, at each end and in both directions, so that no packet of
 * theirs needs path MTU discovery, which clusters so often break. The kernel only ever lowers the value.
 *
 * `translate`: what enters the tunnel keeps a source that is the same whichever device it leaves by. A CNI or kube-proxy
 * masquerades some connections: to the address of the device they leave by, and bound to that device. Two things go wrong then.
 * The kernel forgets such a connection when its output device changes, which every rotation does to it; and the address is one that
 * the peer may refuse. So our chain comes just before theirs, and the first that decides on a connection decides for all (nat
 * chains see only a connection's first packet, and the kernel asks no further chain once a source is set up):
 *   1. what kube-proxy marked to be masqueraded (bit 14), and what comes from neither this node's prefixes nor its addresses
 *      (a client outside the cluster that came to a NodePort, say), gets the devices' own address;
 *   2. all else is bound to the source it has, so that nobody after us changes it: host to anything, pod to pod, and pod to another
 *      node's address, which CNIs count as outside the cluster; that node has a route back to the pod through the mesh.
 * So the table depends on this node alone, and a node that joins costs it nothing.
 */
import { contains, hostPrefix, rangeOf } from '../../mesh/prefix.ts';
import type { MeshPlan, Prefix } from '../../mesh/types.ts';
import { familyOf } from '../netlink/ip.ts';

export const TABLE = { family: 'inet', name: 'sheath' } as const;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type Command = { readonly [verb: string]: Json };

/** kube-proxy's `--iptables-masquerade-bit`, by default. */
const MASQUERADE_MARK = 0x4000;
/** Just before `srcnat`, where CNIs and kube-proxy masquerade. */
const BEFORE_SRCNAT = 99;
/** `mangle` */
const MANGLE = -150;
const DEVICES: Json = { set: ['sheath0', 'sheath1'] };

type Family = 4 | 6;
const WORDS = {
  4: { protocol: 'ip', type: 'ipv4_addr' },
  6: { protocol: 'ip6', type: 'ipv6_addr' },
} as const;

/** Undefined: no table is needed. */
export function ruleset(plan: MeshPlan): Command[] | undefined {
  if (plan.devices.length === 0) return undefined;
  const families = ([4, 6] as const).map((family) => [family, deviceAddress(plan, family)] as const);
  return [
    add('chain', { name: 'clamp', type: 'filter', hook: 'forward', prio: MANGLE, policy: 'accept' }),
    add('chain', {
      name: 'translate',
      type: 'nat',
      hook: 'postrouting',
      prio: BEFORE_SRCNAT,
      policy: 'accept',
    }),
    rule('clamp', [compare({ meta: { key: 'oifname' } }, DEVICES), ...clamp]),
    rule('clamp', [compare({ meta: { key: 'iifname' } }, DEVICES), ...clamp]),
    rule('translate', [compare({ meta: { key: 'oifname' } }, DEVICES, '!='), { accept: null }]),
    ...families.flatMap(([family, address]) => translation(plan, family, address)),
  ];
}

const clamp: readonly Json[] = [
  compare({ '&': [{ payload: { protocol: 'tcp', field: 'flags' } }, ['syn', 'rst']] }, 'syn'),
  {
    mangle: {
      key: { 'tcp option': { name: 'maxseg', field: 'size' } },
      value: { rt: { key: 'mtu' } },
    },
  },
];

function translation(plan: MeshPlan, family: Family, address: string | undefined): Command[] {
  if (address === undefined) return [];
  const { protocol, type } = WORDS[family];
  const pods = plan.ownPrefixes.filter((prefix) => familyOf(prefix) === family);
  const addresses = plan.ownAddresses.filter((one) => familyOf(one) === family).map(hostPrefix);
  const own = [...pods, ...addresses, ...deviceAddresses(plan, family)];
  const source = payload(protocol, 'saddr');
  const snat = (to: Json): Json => ({ snat: { family: protocol, addr: to } });
  const name = `own${family}`;
  return [
    add('set', { name, type, flags: ['interval'], elem: disjoint(own).map(element) }),
    rule('translate', [
      compare({ meta: { key: 'nfproto' } }, family === 4 ? 'ipv4' : 'ipv6'),
      compare({ '&': [{ meta: { key: 'mark' } }, MASQUERADE_MARK] }, MASQUERADE_MARK),
      snat(address),
    ]),
    rule('translate', [compare(source, `@${name}`, '!='), snat(address)]),
    rule('translate', [compare({ meta: { key: 'nfproto' } }, family === 4 ? 'ipv4' : 'ipv6'), snat(source)]),
  ];
}

const deviceAddresses = (plan: MeshPlan, family: Family) =>
  plan.devices.flatMap((device) => device.addresses.filter((address) => familyOf(address) === family));

/** The same on both devices; the newest device's, should they ever differ. */
function deviceAddress(plan: MeshPlan, family: Family): string | undefined {
  return deviceAddresses(plan, family).at(-1)?.split('/')[0];
}

/** Without those that another covers: nft refuses overlapping elements. */
function disjoint(prefixes: readonly Prefix[]): Prefix[] {
  const ranges = prefixes.map(rangeOf);
  return prefixes.filter((_, i) => {
    const mine = ranges[i];
    if (mine === undefined) return false;
    return !ranges.some((other, j) => j !== i && contains(other, mine) && (j < i || !contains(mine, other)));
  });
}

/** `10.0.0.0/24` as nft's JSON wants it. */
function element(text: string | Prefix): Json {
  const [address = '', length] = text.split('/');
  const whole = familyOf(address) === 6 ? '128' : '32';
  return length === undefined || length === whole
    ? address
    : { prefix: { addr: address, len: Number(length) } };
}

const payload = (protocol: string, field: string): Json => ({ payload: { protocol, field } });

function compare(left: Json, right: Json, op: '==' | '!=' = '=='): Json {
  return { match: { op, left, right } };
}

function add(kind: 'chain' | 'set', object: { readonly [key: string]: Json }): Command {
  return { add: { [kind]: { family: TABLE.family, table: TABLE.name, ...object } } };
}

function rule(chain: string, expr: readonly Json[]): Command {
  return { add: { rule: { family: TABLE.family, table: TABLE.name, chain, expr } } };
}

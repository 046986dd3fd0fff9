/**
 * What our devices need of the firewall, as long as there is one.
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
 *
 * Where pods have single addresses of the cloud's network (source `pods`), the devices have no address of their own: a reserved one
 * would have to be unique in the mesh, published, and accepted by every peer as a claim, for the little that it is good for. There
 * the node's own address stands in for it, which all peers know. That is sound for what goes to a pod, whose answer to a node's
 * address comes through the tunnel; a host would answer it in clear, but only own pods' packets reach a remote host through the
 * tunnel (scope `pods`), and those keep their source whatever their mark: their answers come back through this node anyway.
 */
import { hostPrefix } from '../../mesh/prefix.ts';
import type { MeshPlan, Prefix } from '../../mesh/types.ts';
import { familyOf } from '../netlink/ip.ts';
import {
  ACCEPT,
  bits,
  DEVICES,
  differs,
  equal,
  FAMILIES,
  type Family,
  type Json,
  meta,
  NFPROTO,
  PROTOCOL,
  payload,
  prefixSet,
  type Rules,
  rule,
  together,
} from './json.ts';

/** kube-proxy's `--iptables-masquerade-bit`, by default. */
const MASQUERADE_MARK = 0x4000;
/** Just before `srcnat`, where CNIs and kube-proxy masquerade. */
export const BEFORE_SRCNAT = 99;
/** `mangle` */
const MANGLE = -150;

export function passage(plan: MeshPlan): Rules {
  const chains: Rules = {
    counters: [],
    sets: [],
    chains: [
      { name: 'clamp', base: { type: 'filter', hook: 'forward', prio: MANGLE } },
      { name: 'translate', base: { type: 'nat', hook: 'postrouting', prio: BEFORE_SRCNAT } },
    ],
    rules: [
      rule('clamp', equal(meta('oifname'), DEVICES), ...clamp),
      rule('clamp', equal(meta('iifname'), DEVICES), ...clamp),
      rule('translate', differs(meta('oifname'), DEVICES), ACCEPT),
    ],
  };
  return together([chains, ...FAMILIES.flatMap((family) => translation(plan, family))]);
}

const clamp: readonly Json[] = [
  equal({ '&': [payload('tcp', 'flags'), ['syn', 'rst']] }, 'syn'),
  {
    mangle: {
      key: { 'tcp option': { name: 'maxseg', field: 'size' } },
      value: { rt: { key: 'mtu' } },
    },
  },
];

function translation(plan: MeshPlan, family: Family): Rules[] {
  const devices = ofFamily(deviceAddresses(plan), family);
  // The same on both devices; the newest device's, should they ever differ.
  const device = devices.at(-1)?.split('/')[0];
  const address = device ?? plan.ownAddresses.find((one) => familyOf(one) === family);
  if (address === undefined) return [];
  const own = [...plan.ownPrefixes, ...plan.ownAddresses.map(hostPrefix), ...devices];
  const source = payload(PROTOCOL[family], 'saddr');
  const snat = (to: Json): Json => ({ snat: { family: PROTOCOL[family], addr: to } });
  const isFamily = equal(meta('nfproto'), NFPROTO[family]);
  const marked = equal(bits(meta('mark'), MASQUERADE_MARK), MASQUERADE_MARK);
  const name = `own${family}`;
  return [
    {
      counters: [],
      chains: [],
      sets: [prefixSet(name, family, own)],
      rules: [
        ...(device === undefined ? [] : [rule('translate', isFamily, marked, snat(address))]),
        rule('translate', differs(source, `@${name}`), snat(address)),
        rule('translate', isFamily, snat(source)),
      ],
    },
  ];
}

export const deviceAddresses = (plan: MeshPlan): readonly Prefix[] =>
  plan.devices.flatMap((device) => device.addresses);

const ofFamily = (prefixes: readonly Prefix[], family: Family) =>
  prefixes.filter((prefix) => familyOf(prefix) === family);

/** What a network needs besides its packets, and the tunnel's own, as the door tells them. */
import type { MeshPlan } from '../../mesh/types.ts';
import { ACCEPT, equal, type Family, type Json, meta, payload } from './json.ts';

/** RFC 4861, 3.1 and 7.1: a receiver discards any other. */
const HOP_LIMIT = 255;
const DISCOVERY_TYPES: Json = {
  set: ['nd-router-solicit', 'nd-router-advert', 'nd-neighbor-solicit', 'nd-neighbor-advert', 'nd-redirect'],
};
/** UDP ports of client and server (RFC 2131, RFC 8415). */
export const DHCP = { 4: { client: 68, server: 67 }, 6: { client: 546, server: 547 } } as const;

/** Of a router among the nodes, which has no tunnel: what it tells of our packets, those of pods to the outside too, is how their size is found. */
export const ERRORS = {
  4: [
    equal(payload('icmp', 'type'), {
      set: ['destination-unreachable', 'time-exceeded', 'parameter-problem'],
    }),
    ACCEPT,
  ],
  6: [
    equal(payload('icmpv6', 'type'), {
      set: ['destination-unreachable', 'packet-too-big', 'time-exceeded', 'parameter-problem'],
    }),
    ACCEPT,
  ],
} as const satisfies Record<Family, readonly Json[]>;

/** Neighbour discovery, which no node can do without. */
export const DISCOVERY: readonly Json[] = [
  equal(payload('icmpv6', 'type'), DISCOVERY_TYPES),
  equal(payload('ip6', 'hoplimit'), HOP_LIMIT),
  ACCEPT,
];

/** UDP ports of IKE, and of IKE and ESP behind NAT (RFC 7296, RFC 3948). */
const IKE: Json = { set: [500, 4500] };

/** UDP ports that our WireGuard devices listen on, and send from: the elements of the set `ports`. */
export const portsOf = ({ devices }: MeshPlan): number[] =>
  devices.map(({ port }) => port).filter((port) => port > 0);

/** Above what charon and the kernel hand out themselves, from 1 and from 0x4000 on: the states of our sessions, and nobody else's. */
const REQUEST_IDS: Json = { range: [0x4000_0000, 0x7fff_ffff] };

/**
 * A packet that an IPsec device of ours took passes postrouting a second time, towards the other nodes and not yet encrypted
 * (`xfrm4_output`): what it is to be encrypted by is on its route by then. Where there is no state, there is no such route.
 */
export function beforeEncryption({ devices }: MeshPlan): (readonly Json[])[] {
  if (!devices.some(({ driver }) => driver === 'ipsec')) return [];
  return [[equal({ ipsec: { key: 'reqid', dir: 'out', spnum: 0 } }, REQUEST_IDS), ACCEPT]];
}

/** Each an expression that one kind of the tunnel's own packets fulfils. */
export function tunnelPackets(plan: MeshPlan, port: 'sport' | 'dport'): Json[] {
  const udp = payload('udp', port);
  return [
    ...(portsOf(plan).length > 0 ? [equal(udp, '@ports')] : []),
    ...(plan.devices.some(({ driver }) => driver === 'ipsec')
      ? [equal(meta('l4proto'), 'esp'), equal(udp, IKE)]
      : []),
  ];
}

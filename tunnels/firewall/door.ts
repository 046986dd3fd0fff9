/**
 * The door of strict mode: what has no tunnel does not pass, in either direction and family, and is counted.
 *
 *   a packet of        scope pods                                        scope nodes, besides
 *   ───────────────    ──────────────────────────────────────────        ─────────────────────────
 *   remote pod         with anybody                                       -
 *   remote node        with a pod of ours (`nodePrefixes`)                with anybody (`nodePrefixes`)
 *
 * It is judged by its addresses and by the device it takes, and accepted for no mark alone, nor because a connection was known before.
 *
 *   out   in postrouting, where the device is known: earlier, a packet to a Service still shows the one it would have had. Before
 *         anybody changes the source, so that a pod is seen as one whatever the CNI masquerades.
 *   in    in prerouting, before conntrack. What came in by a device of ours was authenticated by the peer's key. A local pod that
 *         pretends to be a remote one is stopped here too.
 *   reply after conntrack: to a connection that was masqueraded in clear before the door was shut, packets of a remote host
 *         come with this node's address, and only conntrack knows that they are for a pod.
 *
 * Always passing: loopback; our own pods among each other and to this node, but not by a link to the other nodes; what is `exempt`, at
 * either end; neighbour discovery (hop limit 255, so nobody forwarded it) and DHCP, but for pods; ICMP errors of the nodes' network that
 * come in; the tunnel's own packets, from our port or to it. Multicast is in none of the ranges.
 *
 * Where the cloud gives nodes and pods addresses of one network, `nodePrefixes` narrower than `clusterPrefixes` tell nodes from pods.
 * Where they are equal, what is not exempt counts as a pod.
 *
 * The guard is the same door in a table of its own, a moment later: whoever flushes or deletes the one leaves the other. The keep is a
 * third, which nobody else can flush.
 */
import type { MeshPlan } from '../../mesh/types.ts';
import {
  ACCEPT,
  bits,
  differs,
  equal,
  FAMILIES,
  type Family,
  type Json,
  meta,
  NFPROTO,
  type NftSet,
  PROTOCOL,
  payload,
  prefixSet,
  type Rules,
  rule,
  together,
} from './json.ts';
import { type Ranges, rangesOf } from './ranges.ts';
import { beforeEncryption, DHCP, DISCOVERY, ERRORS, portsOf, tunnelPackets } from './services.ts';
import { BEFORE_SRCNAT } from './translate.ts';

export type Direction = 'in' | 'out';

export const COUNTERS = [
  { name: 'dropped-in-4', direction: 'in', family: 4 },
  { name: 'dropped-in-6', direction: 'in', family: 6 },
  { name: 'dropped-out-4', direction: 'out', family: 4 },
  { name: 'dropped-out-6', direction: 'out', family: 6 },
] as const;

/** Priorities of hooks: `raw`, before conntrack; and just after `dstnat`, where answers get their real destination back. */
const RAW = -300;
const AFTER_DSTNAT = -90;
const PASSING: Json = { set: ['sheath0', 'sheath1', 'lo'] };

export interface DoorOptions {
  /** Links to the other nodes, behind which no pod of ours is: by these, an own pod's address is that of a pod that moved away. */
  readonly outside: readonly string[];
  /** Each chain comes this much after the first door's. */
  readonly later?: number;
}

export function door(plan: MeshPlan, { outside, later = 0 }: DoorOptions): Rules {
  const base = { type: 'filter', prio: later } as const;
  const ports = portsOf(plan);
  const entrances: Rules = {
    counters: COUNTERS.map(({ name }) => name),
    sets: ports.length === 0 ? [] : [{ name: 'ports', type: 'inet_service', elements: ports }],
    chains: [
      { name: 'door-out', base: { ...base, hook: 'postrouting', prio: BEFORE_SRCNAT - 2 + later } },
      { name: 'door-in', base: { ...base, hook: 'prerouting', prio: RAW + later } },
      { name: 'door-reply', base: { ...base, hook: 'prerouting', prio: AFTER_DSTNAT + later } },
    ],
    rules: [
      rule('door-out', equal(meta('oifname'), PASSING), ACCEPT),
      ...beforeEncryption(plan).map((expr) => rule('door-out', ...expr)),
      rule('door-in', equal(meta('iifname'), PASSING), ACCEPT),
      rule('door-reply', equal(meta('iifname'), PASSING), ACCEPT),
      rule('door-reply', differs({ ct: { key: 'direction' } }, 'reply'), ACCEPT),
    ],
  };
  return together([entrances, ...FAMILIES.map((family) => new FamilyDoor(plan, family, outside).rules())]);
}

class FamilyDoor {
  readonly #plan: MeshPlan;
  readonly #family: Family;
  readonly #ranges: Ranges;
  readonly #outside: readonly string[];

  constructor(plan: MeshPlan, family: Family, outside: readonly string[]) {
    this.#outside = outside;
    this.#plan = plan;
    this.#family = family;
    this.#ranges = rangesOf(plan, family);
  }

  rules(): Rules {
    const f = this.#family;
    const isFamily = equal(meta('nfproto'), NFPROTO[f]);
    const enter = (chain: string) => rule(chain, isFamily, { jump: { target: `${chain}-${f}` } });
    const lines = (chain: string, exprs: readonly (readonly Json[])[]) =>
      exprs.map((expr) => rule(`${chain}-${f}`, ...expr));
    return {
      counters: [],
      sets: this.#sets(),
      chains: ['out', 'in', 'reply'].map((name) => ({ name: `door-${name}-${f}` })),
      rules: [
        ...['door-out', 'door-in', 'door-reply'].map(enter),
        ...lines('door-out', [...this.#passing('out'), ...this.#stopped('out')]),
        ...lines('door-in', [...this.#passing('in'), ...this.#stopped('in')]),
        ...lines('door-reply', [...this.#exempt('saddr', 'daddr'), ...this.#repliesToPods()]),
      ],
    };
  }

  #sets(): NftSet[] {
    return Object.entries(this.#ranges)
      .filter(([, prefixes]) => prefixes.length > 0)
      .map(([name, prefixes]) => prefixSet(`${name}${this.#family}`, this.#family, prefixes));
  }

  #passing(direction: Direction): (readonly Json[])[] {
    const { near, far } = ends(direction);
    const device = meta(direction === 'out' ? 'oifname' : 'iifname');
    const inside = this.#outside.length === 0 ? [] : [differs(device, { set: this.#outside })];
    return [
      ...this.#tunnel(direction),
      ...this.#exempt(far, near),
      ...this.#when('pods', (pods) => [[...inside, equal(this.#address(far), pods), ACCEPT]]),
      ...(this.#family === 6 ? [DISCOVERY] : []),
      ...this.#dhcp(direction, near),
    ];
  }

  /** `near` is the end of this node, `far` the other: a packet that goes out has its far end as destination. */
  #stopped(direction: Direction): (readonly Json[])[] {
    const { near, far } = ends(direction);
    const drop = this.#drop(direction);
    const whole = this.#plan.scope === 'nodes';
    return [
      ...this.#when('cluster', (cluster) => [
        [equal(this.#address(far), cluster), ...this.#unless('apart', far), ...drop],
      ]),
      ...this.#when('hosts', (hosts) => [
        ...this.#when('self', (self) => [[equal(this.#address(far), self), ACCEPT]]),
        ...(direction === 'in' ? [ERRORS[this.#family]] : []),
        ...this.#when('pods', (pods) => [
          [equal(this.#address(near), pods), equal(this.#address(far), hosts), ...drop],
        ]),
        ...(whole && direction === 'out' ? [[equal(this.#address(far), hosts), ...drop]] : []),
        ...(whole && direction === 'in'
          ? [[equal(this.#address(far), hosts), equal(this.#address(near), hosts), ...drop]]
          : []),
      ]),
    ];
  }

  #repliesToPods(): (readonly Json[])[] {
    return this.#when('hosts', (hosts) =>
      this.#when('pods', (pods) => [
        ERRORS[this.#family],
        [
          equal(this.#address('daddr'), pods),
          equal(this.#address('saddr'), hosts),
          ...this.#unless('self', 'saddr'),
          ...this.#drop('in'),
        ],
      ]),
    );
  }

  /** At the near end only what is ours: a local pod may pretend to be anybody. */
  #exempt(far: End, near: End): (readonly Json[])[] {
    return [
      ...this.#when('exempt', (exempt) => [[equal(this.#address(far), exempt), ACCEPT]]),
      ...this.#when('ownexempt', (exempt) => [[equal(this.#address(near), exempt), ACCEPT]]),
    ];
  }

  /**
   * Of the addresses that peers know us by, none else can have sent what comes from our port: who pretends to is stopped on the way in.
   * Of another address of this node (WireGuard takes the one of the route) the mark says that it is no pod's; not alone, for while it
   * is changed to another, packets still have the old one.
   */
  #tunnel(direction: Direction): (readonly Json[])[] {
    const { mark, mask } = this.#plan.routing.fwmark;
    const marked = equal(bits(meta('mark'), mask), mark);
    const from = (self: string) =>
      tunnelPackets(this.#plan, 'sport').map((ours) => [equal(this.#address('saddr'), self), ours]);
    if (direction === 'out')
      return [
        ...this.#when('self', (self) => from(self).map((expr) => [...expr, ACCEPT])),
        ...this.#when('hosts', (hosts) => from(hosts).map((expr) => [...expr, marked, ACCEPT])),
      ];
    return this.#when('self', (self) => [
      ...from(self).map((expr) => [...expr, ...this.#drop('in')]),
      ...tunnelPackets(this.#plan, 'dport').map((ours) => [
        equal(this.#address('daddr'), self),
        ours,
        ACCEPT,
      ]),
    ]);
  }

  #dhcp(direction: Direction, near: End): (readonly Json[])[] {
    const { client, server } = DHCP[this.#family];
    const [from, to] = direction === 'out' ? [client, server] : [server, client];
    const port = (field: string, value: number) => equal(payload('udp', field), value);
    return [[...this.#unless('pods', near), port('sport', from), port('dport', to), ACCEPT]];
  }

  #drop(direction: Direction): readonly Json[] {
    return [{ counter: `dropped-${direction}-${this.#family}` }, { drop: null }];
  }

  #address(end: End): Json {
    return payload(PROTOCOL[this.#family], end);
  }

  #name(set: keyof Ranges): string {
    return `@${set}${this.#family}`;
  }

  #when<T>(set: keyof Ranges, lines: (name: string) => readonly T[]): T[] {
    return this.#ranges[set].length === 0 ? [] : [...lines(this.#name(set))];
  }

  #unless(set: keyof Ranges, end: End): Json[] {
    return this.#when(set, (name) => [differs(this.#address(end), name)]);
  }
}

type End = 'saddr' | 'daddr';

const ends = (direction: Direction): { readonly near: End; readonly far: End } =>
  direction === 'out' ? { near: 'saddr', far: 'daddr' } : { near: 'daddr', far: 'saddr' };

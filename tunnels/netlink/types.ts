/** What the kernel has (links, addresses, routes, rules) and what can be asked of it, in the words of ip(8). */
import type { NetlinkError } from './errors.ts';

/**
 * The route protocol, and the rule protocol, of all that is ours (`ip route show proto 83`): how we know our own after any
 * restart, and with any table. Free in iproute2's rt_protos; Felix has 80, OVN 84.
 */
export const PROTOCOL = 83;

/** Metric that the kernel gives a route when none is asked for (IP6_RT_PRIO_USER). */
export const defaultMetric = (family: 4 | 6): number => (family === 6 ? 1024 : 0);

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  /** `wireguard`, `tun`, `veth`, ...; undefined for hardware. */
  readonly kind?: string;
  /** `ip link set alias`. */
  readonly alias?: string;
  readonly up: boolean;
}

export interface LinkAddress {
  readonly index: number;
  /** `10.0.0.1/24`: host bits kept. */
  readonly address: string;
}

/** Keyed by the kernel as table, prefix and metric (and TOS, which nobody here sets). */
export interface Route {
  readonly table: number;
  readonly prefix: string;
  readonly metric: number;
  readonly protocol: number;
  readonly throw: boolean;
  /** Index of the link it leads to. */
  readonly link?: number;
  readonly source?: string;
  /** It has something that none of ours has: a gateway, several next hops, another type. */
  readonly strange: boolean;
}

export interface Rule {
  readonly family: 4 | 6;
  readonly priority: number;
  readonly table: number;
  readonly protocol: number;
  readonly not: boolean;
  readonly mark: number;
  readonly mask: number;
  readonly from?: string;
  /** It has a selector or an action that none of ours has. */
  readonly strange: boolean;
}

export type RouteChange = Omit<Route, 'strange' | 'protocol'>;
export type RuleChange = Omit<Rule, 'strange' | 'protocol'>;

/** One write. All routes and rules carry `PROTOCOL`. */
export type Write =
  | {
      readonly type: 'createLink';
      readonly name: string;
      readonly kind: string;
      /** Of kind `xfrm`: what states and policies of it carry (`if_id`). */
      readonly interfaceId?: number;
    }
  | {
      readonly type: 'setLink';
      readonly name: string;
      readonly alias?: string;
      readonly mtu?: number;
      readonly up?: boolean;
    }
  | { readonly type: 'removeLink'; readonly name: string }
  | { readonly type: 'addAddress'; readonly index: number; readonly address: string }
  | { readonly type: 'removeAddress'; readonly index: number; readonly address: string }
  | { readonly type: 'replaceRoute'; readonly route: RouteChange }
  | { readonly type: 'removeRoute'; readonly route: RouteChange }
  | { readonly type: 'addRule'; readonly rule: RuleChange }
  | { readonly type: 'removeRule'; readonly rule: RuleChange };

/** What another hand (or the kernel itself) did. */
export type Notice =
  | { readonly type: 'link'; readonly removed: boolean; readonly link: Link }
  | { readonly type: 'address'; readonly removed: boolean; readonly address: LinkAddress }
  | { readonly type: 'route'; readonly removed: boolean; readonly route: Route }
  | { readonly type: 'rule'; readonly removed: boolean; readonly rule: Rule }
  /** The kernel had more to tell than the socket could hold: anything may have changed. */
  | { readonly type: 'overrun' };

/** Routing netlink (rtnetlink(7)) of the network namespace that the process is in. */
export interface Netlink {
  links(): Promise<Link[]>;
  addresses(): Promise<LinkAddress[]>;
  /** Only those that `keep` takes: a node may have tens of thousands of others. */
  routes(keep: (table: number, protocol: number) => boolean): Promise<Route[]>;
  rules(): Promise<Rule[]>;
  /** Packets received and sent since the link exists. */
  packets(index: number): Promise<bigint>;
  /** Done in order, each for itself; one answer a write, undefined when it succeeded. */
  write(writes: readonly Write[]): Promise<(NetlinkError | undefined)[]>;
  /** Notices of what this object itself wrote do not come, but for those of IPv6 addresses, which the kernel does not sign. */
  watch(onNotice: (notice: Notice) => void, signal: AbortSignal): void;
  close(): void;
}

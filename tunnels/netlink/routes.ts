/** Routes and rules (linux/rtnetlink.h, linux/fib_rules.h). */
import { addressText, familyOf, prefixParts } from './ip.ts';
import type { Encode } from './socket.ts';
import {
  defaultMetric,
  PROTOCOL,
  type Route,
  type RouteChange,
  type Rule,
  type RuleChange,
} from './types.ts';
import { attributes, type MessageWriter, NLM_F, u32Of } from './wire.ts';

export const RTM_ROUTE = { NEW: 24, DEL: 25, GET: 26 } as const;
export const RTM_RULE = { NEW: 32, DEL: 33, GET: 34 } as const;

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, MULTIPATH: 9, TABLE: 15 } as const;
const RTN = { UNICAST: 1, THROW: 9 } as const;
const SCOPE = { UNIVERSE: 0, LINK: 253, NOWHERE: 255 } as const;
/** In the header's byte for tables that do not fit into it. */
const RT_TABLE_COMPAT = 252;
const RTMSG = 12;

const FRA = { DST: 1, SRC: 2, PRIORITY: 6, FWMARK: 10, TABLE: 15, FWMASK: 16, PROTOCOL: 21 } as const;
/** Attributes that say nothing about what a rule selects, on kernels that send them with every rule (SUPPRESS_PREFIXLEN: -1). */
const FRA_SUPPRESS_PREFIXLEN = 14;
const KNOWN_RULE_ATTRIBUTES: ReadonlySet<number> = new Set([...Object.values(FRA), FRA_SUPPRESS_PREFIXLEN]);
const FR_ACT_TO_TBL = 1;
const FIB_RULE_INVERT = 2;
const RULE_HEADER = 12;

const AF_INET = 2;
const AF_INET6 = 10;
const familyNumber = (family: 4 | 6) => (family === 6 ? AF_INET6 : AF_INET);

const tableByte = (table: number) => (table < 256 ? table : RT_TABLE_COMPAT);

export const listRoutes: Encode = (writer) => {
  writer.begin(RTM_ROUTE.GET, NLM_F.DUMP);
  writer.struct([0, 0, 0, 0, 0, 0, 0, 0], [0]);
};

function route(writer: MessageWriter, change: RouteChange, removing: boolean): void {
  const { bytes, length } = prefixParts(change.prefix);
  const ipv4 = bytes.length === 4;
  // The kernel wants to hear for IPv4 that a device is not a gateway; a removal takes any scope.
  const scope = removing ? SCOPE.NOWHERE : ipv4 && !change.throw ? SCOPE.LINK : SCOPE.UNIVERSE;
  const type = change.throw ? RTN.THROW : RTN.UNICAST;
  const family = ipv4 ? AF_INET : AF_INET6;
  writer.struct(
    [family, length, 0, 0, tableByte(change.table), PROTOCOL, ipv4 ? scope : 0, removing ? 0 : type],
    [0],
  );
  if (length > 0) writer.bytes(RTA.DST, bytes);
  writer.u32(RTA.TABLE, change.table);
  if (change.metric !== 0) writer.u32(RTA.PRIORITY, change.metric);
  if (change.link !== undefined && !change.throw) writer.u32(RTA.OIF, change.link);
  if (change.source !== undefined && !removing) writer.bytes(RTA.PREFSRC, prefixParts(change.source).bytes);
}

export const replaceRoute =
  (change: RouteChange): Encode =>
  (writer) => {
    writer.begin(RTM_ROUTE.NEW, NLM_F.CREATE | NLM_F.REPLACE);
    route(writer, change, false);
  };

export const removeRoute =
  (change: RouteChange): Encode =>
  (writer) => {
    writer.begin(RTM_ROUTE.DEL, 0);
    route(writer, change, true);
  };

/** RTM_F_CLONED of linux/rtnetlink.h: no route, but what the kernel learned of one destination, its path MTU for instance. */
const CLONED = 0x200;

/** A dump names these with the table of the route they come from, as protocol 0. */
export function isCached(body: Buffer): boolean {
  return (body.readUInt32LE(8) & CLONED) !== 0;
}

/** The table and protocol alone, before the rest is worth reading. */
export function routeOwner(body: Buffer): { table: number; protocol: number } {
  const table = body[4] ?? 0;
  const protocol = body[5] ?? 0;
  if (table !== RT_TABLE_COMPAT) return { table, protocol };
  return { table: u32Of(attributes(body, RTMSG).get(RTA.TABLE)) ?? table, protocol };
}

export function parseRoute(body: Buffer): Route {
  const found = attributes(body, RTMSG);
  const ipv6 = body[0] === AF_INET6;
  const type = body[7];
  const link = u32Of(found.get(RTA.OIF));
  const source = found.get(RTA.PREFSRC);
  const destination = found.get(RTA.DST) ?? Buffer.alloc(ipv6 ? 16 : 4);
  return {
    table: u32Of(found.get(RTA.TABLE)) ?? body[4] ?? 0,
    prefix: `${addressText(destination)}/${body[1] ?? 0}`,
    metric: u32Of(found.get(RTA.PRIORITY)) ?? 0,
    protocol: body[5] ?? 0,
    throw: type === RTN.THROW,
    ...(link === undefined || type === RTN.THROW ? {} : { link }),
    ...(source === undefined ? {} : { source: addressText(source) }),
    strange:
      (type !== RTN.UNICAST && type !== RTN.THROW) || found.has(RTA.GATEWAY) || found.has(RTA.MULTIPATH),
  };
}

export const routeMetric = (prefix: string): number => defaultMetric(familyOf(prefix));

export const listRules =
  (family: 4 | 6): Encode =>
  (writer) => {
    writer.begin(RTM_RULE.GET, NLM_F.DUMP);
    writer.struct([familyNumber(family), 0, 0, 0, 0, 0, 0, 0], [0]);
  };

function rule(writer: MessageWriter, change: RuleChange): void {
  const from = change.from === undefined ? undefined : prefixParts(change.from);
  writer.struct(
    [familyNumber(change.family), 0, from?.length ?? 0, 0, tableByte(change.table), 0, 0, FR_ACT_TO_TBL],
    [change.not ? FIB_RULE_INVERT : 0],
  );
  if (from !== undefined && from.length > 0) writer.bytes(FRA.SRC, from.bytes);
  writer.u32(FRA.PRIORITY, change.priority);
  writer.u32(FRA.TABLE, change.table);
  if (change.mask !== 0) {
    writer.u32(FRA.FWMARK, change.mark);
    writer.u32(FRA.FWMASK, change.mask);
  }
  writer.u8(FRA.PROTOCOL, PROTOCOL);
}

export const addRule =
  (change: RuleChange): Encode =>
  (writer) => {
    writer.begin(RTM_RULE.NEW, NLM_F.CREATE | NLM_F.EXCL);
    rule(writer, change);
  };

export const removeRule =
  (change: RuleChange): Encode =>
  (writer) => {
    writer.begin(RTM_RULE.DEL, 0);
    rule(writer, change);
  };

export function parseRule(body: Buffer): Rule {
  const found = attributes(body, RULE_HEADER);
  const source = found.get(FRA.SRC);
  const suppress = found.get(FRA_SUPPRESS_PREFIXLEN);
  return {
    family: body[0] === AF_INET6 ? 6 : 4,
    priority: u32Of(found.get(FRA.PRIORITY)) ?? 0,
    table: u32Of(found.get(FRA.TABLE)) ?? body[4] ?? 0,
    protocol: found.get(FRA.PROTOCOL)?.[0] ?? 0,
    not: (body.readUInt32LE(8) & FIB_RULE_INVERT) !== 0,
    mark: u32Of(found.get(FRA.FWMARK)) ?? 0,
    mask: u32Of(found.get(FRA.FWMASK)) ?? 0,
    ...(source === undefined ? {} : { from: `${addressText(source)}/${body[2] ?? 0}` }),
    strange:
      body[7] !== FR_ACT_TO_TBL ||
      found.has(FRA.DST) ||
      (suppress !== undefined && suppress.readInt32LE(0) !== -1) ||
      [...found.keys()].some((type) => !KNOWN_RULE_ATTRIBUTES.has(type)),
  };
}

/** Links and their addresses (linux/if_link.h, linux/if_addr.h). */
import { addressBytes, addressText, familyOf, prefixParts } from './ip.ts';
import type { Encode } from './socket.ts';
import type { Link, LinkAddress } from './types.ts';
import { attributes, type MessageWriter, NLM_F, textOf, u32Of } from './wire.ts';

export const RTM_LINK = { NEW: 16, DEL: 17, GET: 18 } as const;
export const RTM_ADDRESS = { NEW: 20, DEL: 21, GET: 22 } as const;

const IFLA = { IFNAME: 3, MTU: 4, LINKINFO: 18, IFALIAS: 20, STATS64: 23, EXT_MASK: 29 } as const;
const IFLA_INFO = { KIND: 1, DATA: 2 } as const;
const IFLA_XFRM_IF_ID = 2;
/** Statistics cost more than all the rest of a link, and are not needed in a list. */
const RTEXT_FILTER_SKIP_STATS = 8;
const IFF_UP = 1;
const IFINFOMSG = 16;

const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
/** Else an IPv6 address may not be used for a second; nobody else can have an address of ours. */
const IFA_F_NODAD = 2;
const IFADDRMSG = 8;

const AF_INET = 2;
const AF_INET6 = 10;

const ifinfomsg = (writer: MessageWriter, index: number, up?: boolean) =>
  writer.struct([0, 0, 0, 0], [index, up === true ? IFF_UP : 0, up === undefined ? 0 : IFF_UP]);

export const listLinks: Encode = (writer) => {
  writer.begin(RTM_LINK.GET, NLM_F.DUMP);
  ifinfomsg(writer, 0);
  writer.u32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
};

export const getLink =
  (index: number): Encode =>
  (writer) => {
    writer.begin(RTM_LINK.GET, 0);
    ifinfomsg(writer, index);
  };

export interface NewLink {
  readonly name: string;
  readonly kind: string;
  readonly interfaceId?: number;
}

export const createLink =
  ({ name, kind, interfaceId }: NewLink): Encode =>
  (writer) => {
    writer.begin(RTM_LINK.NEW, NLM_F.CREATE | NLM_F.EXCL);
    ifinfomsg(writer, 0);
    writer.string(IFLA.IFNAME, name);
    writer.nested(IFLA.LINKINFO, () => {
      writer.string(IFLA_INFO.KIND, kind);
      if (interfaceId !== undefined)
        writer.nested(IFLA_INFO.DATA, () => writer.u32(IFLA_XFRM_IF_ID, interfaceId));
    });
  };

export interface LinkSettings {
  readonly name: string;
  readonly alias?: string;
  readonly mtu?: number;
  readonly up?: boolean;
}

export const setLink =
  (settings: LinkSettings): Encode =>
  (writer) => {
    writer.begin(RTM_LINK.NEW, 0);
    ifinfomsg(writer, 0, settings.up);
    writer.string(IFLA.IFNAME, settings.name);
    if (settings.alias !== undefined) writer.bytes(IFLA.IFALIAS, Buffer.from(settings.alias));
    if (settings.mtu !== undefined) writer.u32(IFLA.MTU, settings.mtu);
  };

export const removeLink =
  (name: string): Encode =>
  (writer) => {
    writer.begin(RTM_LINK.DEL, 0);
    ifinfomsg(writer, 0);
    writer.string(IFLA.IFNAME, name);
  };

export function parseLink(body: Buffer): Link {
  const found = attributes(body, IFINFOMSG);
  const info = found.get(IFLA.LINKINFO);
  const kind = info && textOf(attributes(info, 0).get(IFLA_INFO.KIND));
  const alias = textOf(found.get(IFLA.IFALIAS));
  return {
    index: body.readInt32LE(4),
    name: textOf(found.get(IFLA.IFNAME)) ?? '',
    mtu: u32Of(found.get(IFLA.MTU)) ?? 0,
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    ...(kind === undefined ? {} : { kind }),
    ...(alias === undefined ? {} : { alias }),
  };
}

/** The first two of `struct rtnl_link_stats64`: packets received and sent. */
export function parsePackets(body: Buffer): bigint {
  const stats = attributes(body, IFINFOMSG).get(IFLA.STATS64);
  return stats === undefined ? 0n : stats.readBigUInt64LE(0) + stats.readBigUInt64LE(8);
}

export const listAddresses: Encode = (writer) => {
  writer.begin(RTM_ADDRESS.GET, NLM_F.DUMP);
  writer.struct([0, 0, 0, 0], [0]);
};

const address = (writer: MessageWriter, index: number, text: string) => {
  const { bytes, length } = prefixParts(text);
  writer.struct([familyOf(text) === 6 ? AF_INET6 : AF_INET, length, 0, 0], [index]);
  writer.bytes(IFA.LOCAL, bytes);
  writer.bytes(IFA.ADDRESS, bytes);
};

export const addAddress =
  (index: number, text: string): Encode =>
  (writer) => {
    writer.begin(RTM_ADDRESS.NEW, NLM_F.CREATE | NLM_F.EXCL);
    address(writer, index, text);
    if (familyOf(text) === 6) writer.u32(IFA.FLAGS, IFA_F_NODAD);
  };

export const removeAddress =
  (index: number, text: string): Encode =>
  (writer) => {
    writer.begin(RTM_ADDRESS.DEL, 0);
    address(writer, index, text);
  };

export function parseAddress(body: Buffer): LinkAddress {
  const found = attributes(body, IFADDRMSG);
  // On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL is ours; IPv6 has the latter only there.
  const bytes = found.get(IFA.LOCAL) ?? found.get(IFA.ADDRESS) ?? addressBytes('0.0.0.0');
  return { index: body.readUInt32LE(4), address: `${addressText(bytes)}/${body[1] ?? 0}` };
}

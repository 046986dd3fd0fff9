/** Questions to the kernel beside WireGuard's own: the number of its generic netlink family, and the links of its kind. */
import { type NetlinkChannel, NetlinkError } from './channel.ts';
import { CTRL, HEADER, IFLA, NLA_TYPE_MASK, NLM_F, RTM, WG_GENL } from './uapi.ts';
import { MessageWriter } from './writer.ts';

/**
 * The number of the family `wireguard`, undefined when the kernel has none. Asking makes the kernel load the module where it
 * can.
 */
export async function wireGuardFamily(channel: NetlinkChannel): Promise<number | undefined> {
  const writer = new MessageWriter(64);
  writer.beginGeneric(CTRL.getFamily, CTRL.version);
  writer.text(CTRL.familyName, WG_GENL.name);
  let family: number | undefined;
  try {
    await channel.request({
      message: writer.message(),
      type: CTRL.family,
      flags: NLM_F.ack,
      onMessage: (datagram, start, end) => {
        const at = findAttribute(datagram, { start: start + HEADER.generic, end, type: CTRL.familyId });
        if (at !== undefined) family = datagram.readUInt16LE(at + HEADER.attribute);
      },
    });
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === 'ENOENT') return undefined;
    throw error;
  }
  return family;
}

/** Names of the links whose kind is `wireguard`, in the order of the kernel. */
export async function wireGuardLinks(channel: NetlinkChannel): Promise<string[]> {
  const writer = new MessageWriter(64);
  writer.beginLink();
  const info = writer.nest(IFLA.linkInfo);
  writer.text(IFLA.infoKind, WG_GENL.name); // the kernel lists links of this kind only
  writer.end(info);
  const names: string[] = [];
  await channel.request({
    message: writer.message(),
    type: RTM.getLink,
    flags: NLM_F.dump,
    onMessage: (datagram, start, end) => {
      const name = wireGuardName(datagram, start + HEADER.link, end);
      if (name !== undefined) names.push(name);
    },
  });
  return names;
}

function wireGuardName(datagram: Buffer, start: number, end: number): string | undefined {
  const name = findAttribute(datagram, { start, end, type: IFLA.name });
  const info = findAttribute(datagram, { start, end, type: IFLA.linkInfo });
  if (name === undefined || info === undefined) return undefined;
  const nest = {
    start: info + HEADER.attribute,
    end: info + datagram.readUInt16LE(info),
    type: IFLA.infoKind,
  };
  const kind = findAttribute(datagram, nest);
  return kind !== undefined && text(datagram, kind) === WG_GENL.name ? text(datagram, name) : undefined;
}

/** Where the first attribute of that type begins. */
function findAttribute(
  buffer: Buffer,
  { start, end, type }: { readonly start: number; readonly end: number; readonly type: number },
): number | undefined {
  for (let at = start; at + HEADER.attribute <= end; ) {
    const length = buffer.readUInt16LE(at);
    if (length < HEADER.attribute) return undefined;
    if ((buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK) === type) return at;
    at += (length + 3) & ~3;
  }
  return undefined;
}

/** Up to its NUL. */
function text(buffer: Buffer, at: number): string {
  const end = at + buffer.readUInt16LE(at);
  const whole = buffer.toString('utf8', at + HEADER.attribute, end);
  const nul = whole.indexOf('\0');
  return nul < 0 ? whole : whole.slice(0, nul);
}

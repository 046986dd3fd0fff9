/** States as bytes: `struct xfrm_usersa_info`, `xfrm_usersa_id` and `xfrm_encap_tmpl` of linux/xfrm.h. charon makes them, we look. */
import type { Address } from '../../../mesh/types.ts';
import { addressBytes } from '../../netlink/ip.ts';
import type { Encode } from '../../netlink/socket.ts';
import { attributes, NLM_F, u32Of } from '../../netlink/wire.ts';
import { ADDRESS, familyNumber, IPPROTO_ESP, readAddress, XFRM_MSG, XFRMA } from './structs.ts';
import type { State } from './types.ts';

const INFO = {
  SIZE: 224,
  DESTINATION: 56,
  SPI: 72,
  PROTO: 76,
  SOURCE: 80,
  /** `struct xfrm_lifetime_cur`: bytes, packets, when added, when first used. */
  BYTES: 160,
  ADDED: 176,
  REQID: 208,
  FAMILY: 212,
} as const;

export const listStates: Encode = (writer) => {
  writer.begin(XFRM_MSG.GETSA, NLM_F.DUMP);
  writer.struct(new Array(INFO.SIZE).fill(0));
};

export const removeState =
  ({ spi, destination }: Pick<State, 'spi' | 'destination'>): Encode =>
  (writer) => {
    const id = Buffer.alloc(ADDRESS + 8);
    id.set(addressBytes(destination));
    id.writeUInt32BE(spi, ADDRESS);
    id.writeUInt16LE(familyNumber(destination), ADDRESS + 4);
    id[ADDRESS + 6] = IPPROTO_ESP;
    writer.begin(XFRM_MSG.DELSA, 0);
    writer.struct([...id]);
  };

/** Wipes what it read: the kernel shows root the keys too. undefined: of another interface, not ESP, or without keys yet. */
export function takeState(body: Buffer, isOurs: (interfaceId: number) => boolean): State | undefined {
  try {
    return parse(body, isOurs);
  } finally {
    body.fill(0);
  }
}

function parse(body: Buffer, isOurs: (interfaceId: number) => boolean): State | undefined {
  const found = attributes(body, INFO.SIZE);
  const interfaceId = u32Of(found.get(XFRMA.IF_ID)) ?? 0;
  const keyed = found.has(XFRMA.ALG_AEAD) || found.has(XFRMA.ALG_CRYPT);
  if (!keyed || body[INFO.PROTO] !== IPPROTO_ESP || !isOurs(interfaceId)) return undefined;
  const family = body.readUInt16LE(INFO.FAMILY);
  const encapsulation = found.get(XFRMA.ENCAP);
  return {
    spi: body.readUInt32BE(INFO.SPI),
    source: readAddress(body, INFO.SOURCE, family) as Address,
    destination: readAddress(body, INFO.DESTINATION, family) as Address,
    reqid: body.readUInt32LE(INFO.REQID),
    interfaceId,
    ...(encapsulation === undefined ? {} : { port: encapsulation.readUInt16BE(2) }),
    bytes: Number(body.readBigUInt64LE(INFO.BYTES)),
    installedAt: Number(body.readBigUInt64LE(INFO.ADDED)) * 1000,
  };
}

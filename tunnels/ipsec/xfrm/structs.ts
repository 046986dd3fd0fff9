/** What policies and states have in common in linux/xfrm.h: message types, attributes, selectors. */
import type { Prefix } from '../../../mesh/types.ts';
import { addressBytes, addressText, familyOf, prefixParts } from '../../netlink/ip.ts';

export const XFRM_MSG = {
  DELSA: 0x11,
  GETSA: 0x12,
  NEWPOLICY: 0x13,
  DELPOLICY: 0x14,
  GETPOLICY: 0x15,
  UPDPOLICY: 0x19,
  GETSPDINFO: 0x25,
} as const;

export const XFRMA = { ALG_CRYPT: 2, ENCAP: 4, TMPL: 5, ALG_AEAD: 18, IF_ID: 31 } as const;

export const IPPROTO_ESP = 50;
export const XFRM_MODE_TUNNEL = 1;

const AF_INET = 2;
const AF_INET6 = 10;

export const familyNumber = (text: string): number => (familyOf(text) === 6 ? AF_INET6 : AF_INET);

/** `xfrm_address_t`: of IPv4 the first four bytes. */
export const ADDRESS = 16;

export function writeAddress(into: Buffer, at: number, text: string): void {
  into.set(addressBytes(text), at);
}

export function readAddress(from: Buffer, at: number, family: number): string {
  return addressText(from.subarray(at, at + (family === AF_INET6 ? 16 : 4)));
}

/** `struct xfrm_selector`: addresses, ports (8), family (2), prefix lengths, protocol; interface and user at 48. */
export const SELECTOR = {
  SIZE: 56,
  SOURCE: 16,
  PORTS: 32,
  FAMILY: 40,
  LENGTH_D: 42,
  LENGTH_S: 43,
  PROTO: 44,
} as const;

/** All that goes between any address of its family and the prefix. */
export function writeSelector(into: Buffer, prefix: string, side: 'source' | 'destination'): void {
  const { bytes, length } = prefixParts(prefix);
  into.set(bytes, side === 'source' ? SELECTOR.SOURCE : 0);
  into[side === 'source' ? SELECTOR.LENGTH_S : SELECTOR.LENGTH_D] = length;
  into.writeUInt16LE(familyNumber(prefix), SELECTOR.FAMILY);
}

export interface Selector {
  readonly prefix: Prefix;
  /** It selects by more than this prefix. */
  readonly strange: boolean;
}

export function readSelector(from: Buffer, side: 'source' | 'destination'): Selector {
  const family = from.readUInt16LE(SELECTOR.FAMILY);
  const source = { at: SELECTOR.SOURCE, length: from[SELECTOR.LENGTH_S] ?? 0 };
  const destination = { at: 0, length: from[SELECTOR.LENGTH_D] ?? 0 };
  const [ours, other] = side === 'source' ? [source, destination] : [destination, source];
  const ports = from.subarray(SELECTOR.PORTS, SELECTOR.FAMILY);
  const rest = from.subarray(SELECTOR.PROTO + 4, SELECTOR.SIZE);
  return {
    // From the kernel, with no host bits but those that were given to it.
    prefix: `${readAddress(from, ours.at, family)}/${ours.length}` as Prefix,
    strange:
      other.length !== 0 || from[SELECTOR.PROTO] !== 0 || [...ports, ...rest].some((byte) => byte !== 0),
  };
}

/** What a tunnel takes from every packet, and the MTU that is left. */
import type { Family } from './types.ts';

/** Bytes that WireGuard puts around an inner packet: outer IP header, UDP, its own header (16) and the authentication tag (16). */
export const WIREGUARD_OVERHEAD = {
  4: 20 + 8 + 16 + 16,
  6: 40 + 8 + 16 + 16,
} as const satisfies Record<Family, number>;

/** Bytes of an ESP packet that depend on its algorithms (RFC 4303, section 2). */
export interface EspSizes {
  readonly iv: number;
  /** The payload, with what says how it is padded, is a multiple of it; 4 at least. */
  readonly block: number;
  /** What proves that nobody changed it. */
  readonly icv: number;
}

const ESP = {
  /** SPI and sequence number. */
  header: 8,
  /** Length of the padding, and what follows; padded together with the payload. */
  trailer: 2,
  /** RFC 3948, where a NAT is in the way: always counted, for it may come at any time. */
  udp: 8,
} as const;

const IP_HEADER = { 4: 20, 6: 40 } as const satisfies Record<Family, number>;

/** RFC 8200 section 5: on a device with a smaller MTU the kernel switches IPv6 off. */
export const IPV6_MINIMUM_MTU = 1280;
/** RFC 791: every IPv4 host takes packets of this size. */
export const IPV4_MINIMUM_MTU = 576;

/**
 * The MTU of the tunnel device, in bytes, over a link with `linkMtu`.
 *
 * @param outer families of the endpoints that tunnel packets go to; the larger header counts
 * @param inner families of the packets inside. With IPv6 it is never below 1280: over a link of less than 1340 (or 1360) the
 *   outer packets are fragmented then, which is slow, while without IPv6 on the device nothing would pass.
 */
export function tunnelMtu(
  linkMtu: number,
  outer: Iterable<Family>,
  inner: Iterable<Family> = [4, 6],
): number {
  const overhead = Math.max(
    ...Array.from(outer, (family) => WIREGUARD_OVERHEAD[family]),
    WIREGUARD_OVERHEAD[4],
  );
  return Math.max(linkMtu - overhead, minimumFor(inner));
}

export interface EspWay {
  readonly outer: Iterable<Family>;
  readonly inner: Iterable<Family>;
  /** Of all algorithms that may be negotiated: those that take most count. */
  readonly sizes: readonly EspSizes[];
}

/** As `tunnelMtu`, with ESP in tunnel mode: whole blocks of payload, as many as fit. */
export function espMtu(linkMtu: number, { outer, inner, sizes }: EspWay): number {
  const header = Math.max(...Array.from(outer, (family) => IP_HEADER[family]), IP_HEADER[4]);
  const left = linkMtu - header - ESP.udp - ESP.header;
  const payloads = sizes.map(
    ({ iv, block, icv }) => Math.floor((left - iv - icv) / block) * block - ESP.trailer,
  );
  return Math.max(Math.min(...payloads, left), minimumFor(inner));
}

/** Bytes on the wire of an inner packet with `payload` bytes, by ESP in tunnel mode, with UDP for a NAT. */
export function espPacket(payload: number, outer: Family, { iv, block, icv }: EspSizes): number {
  const padded = Math.ceil((payload + ESP.trailer) / block) * block;
  return IP_HEADER[outer] + ESP.udp + ESP.header + iv + padded + icv;
}

function minimumFor(inner: Iterable<Family>): number {
  return [...inner].includes(6) ? IPV6_MINIMUM_MTU : IPV4_MINIMUM_MTU;
}

/** What a tunnel takes from every packet, and the MTU that is left. */
import type { Family } from './types.ts';

/** Bytes that WireGuard puts around an inner packet: outer IP header, UDP, its own header (16) and the authentication tag (16). */
export const WIREGUARD_OVERHEAD = {
  4: 20 + 8 + 16 + 16,
  6: 40 + 8 + 16 + 16,
} as const satisfies Record<Family, number>;

/**
 * Bytes that ESP in tunnel mode puts around an inner packet (RFC 4303; AES-GCM by RFC 4106): outer IP header, UDP where a NAT is in the way
 * (always counted: it may come at any time), SPI and sequence number (8), IV (8), padding to 4 bytes (3), its length and the next header (2),
 * and the authentication tag (16).
 */
export const ESP_OVERHEAD = {
  4: 20 + 8 + 8 + 8 + 3 + 2 + 16,
  6: 40 + 8 + 8 + 8 + 3 + 2 + 16,
} as const satisfies Record<Family, number>;

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
  return mtuWith(WIREGUARD_OVERHEAD, linkMtu, { outer, inner });
}

/** As `tunnelMtu`, with ESP. */
export function espMtu(linkMtu: number, outer: Iterable<Family>, inner: Iterable<Family> = [4, 6]): number {
  return mtuWith(ESP_OVERHEAD, linkMtu, { outer, inner });
}

function mtuWith(
  overheads: Readonly<Record<Family, number>>,
  linkMtu: number,
  { outer, inner }: { readonly outer: Iterable<Family>; readonly inner: Iterable<Family> },
): number {
  const overhead = Math.max(...Array.from(outer, (family) => overheads[family]), overheads[4]);
  const minimum = [...inner].includes(6) ? IPV6_MINIMUM_MTU : IPV4_MINIMUM_MTU;
  return Math.max(linkMtu - overhead, minimum);
}

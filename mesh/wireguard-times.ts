/**
 * What the WireGuard protocol promises, in seconds (the whitepaper, section 6.1, and `messages.h` of the Linux module). Proof of
 * life rests on these: data that is sent is answered, with data or an empty packet, within `keepaliveTimeout`.
 */
export const WIREGUARD_TIMES = {
  /** The side that initiated makes a new handshake when it sends on a session this old. */
  rekeyAfter: 120,
  /** A session this old is used no more. */
  rejectAfter: 180,
  /** A handshake that nobody answers is tried for this long, then given up until there is a packet to send. */
  rekeyAttempt: 90,
  /** Between two tries, and the time that a fresh initiation is not repeated. */
  rekeyTimeout: 5,
  /** Whoever received data and has nothing to send sends an empty packet after this time. */
  keepaliveTimeout: 10,
} as const;

/** Bytes of an empty packet, a keepalive: header 16 and tag 16. Nobody answers one. */
export const KEEPALIVE_SIZE = 32;

/**
 * Milliseconds of sending without an answer after which a peer is degraded: the answer is due after 10 s, WireGuard itself
 * grows suspicious 5 s later and makes a handshake, whose answer is due after another 5 s.
 */
export const UNANSWERED_AFTER = (WIREGUARD_TIMES.keepaliveTimeout + 2 * WIREGUARD_TIMES.rekeyTimeout) * 1000;

/** Milliseconds: with a persistent keepalive there is always something to send, so an older handshake means that none succeeds. */
export const STALE_AFTER = (WIREGUARD_TIMES.rejectAfter + WIREGUARD_TIMES.rekeyAttempt) * 1000;

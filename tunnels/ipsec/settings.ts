/** What is negotiated, and for how long it lasts. */

export interface IpsecSettings {
  /** In swanctl's words, best first: `aes256gcm16-prfsha384-x25519`. */
  readonly ikeProposals: readonly string[];
  readonly espProposals: readonly string[];
  /** Seconds. */
  readonly lifetimes: {
    /** Until an IKE SA, or a child, is replaced by the next; each at a moment of its own, up to `jitter` earlier. */
    readonly ike: number;
    readonly child: number;
    /** Share of the lifetimes, 0 to 1. */
    readonly jitter: number;
  };
  /**
   * Seconds until a peer is asked whether it lives. Not soon: while a charon is away, the states of its kernel carry on, and whoever gives
   * them up too early loses packets.
   */
  readonly dpd: number;
}

export const DEFAULT_IPSEC: IpsecSettings = {
  ikeProposals: ['aes256gcm16-prfsha384-x25519', 'aes256gcm16-prfsha384-ecp384'],
  // Extended sequence numbers: 2^32 packets are over in an hour at 10 Gbit/s. The group is for rekeying, with fresh secrecy.
  espProposals: ['aes256gcm16-x25519-esn', 'aes256gcm16-ecp384-esn'],
  lifetimes: { ike: 4 * 3600, child: 3600, jitter: 0.1 },
  dpd: 60,
};

/** Packets that may overtake each other: several queues of a fast card do that more than the usual 32 forgive. */
export const REPLAY_WINDOW = 1024;

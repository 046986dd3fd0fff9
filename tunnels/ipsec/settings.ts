/** What is negotiated, and for how long it lasts. */
import type { IpsecConfig } from '../../mesh/config.ts';
import { PROFILES } from './proposals.ts';

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

/** IKE SAs are replaced with their children; by itself charon rekeys after four times as long, when nobody replaces them. */
const IKE_LIFETIMES = 4;

export function settingsOf(
  config: Pick<IpsecConfig, 'ikeProposals' | 'espProposals' | 'lifetime'>,
): IpsecSettings {
  const { ikeProposals, espProposals, lifetime } = config;
  return {
    ikeProposals,
    espProposals,
    lifetimes: { ike: IKE_LIFETIMES * lifetime, child: lifetime, jitter: 0.1 },
    dpd: 60,
  };
}

export const DEFAULT_IPSEC: IpsecSettings = settingsOf({ ...PROFILES.default, lifetime: 3600 });

/** Packets that may overtake each other: several queues of a fast card do that more than the usual 32 forgive. */
export const REPLAY_WINDOW = 1024;

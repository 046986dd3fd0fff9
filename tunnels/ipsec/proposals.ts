/** What charon is told to propose, and to accept: a profile, or lists in swanctl.conf(5)'s words, `aes256gcm16-prfsha384-x25519`. */
import type { IpsecConfig } from '../../mesh/config.ts';

export type IpsecProfile = 'default' | 'fips' | 'post-quantum';

/** Best first. */
export type Proposals = Pick<IpsecConfig, 'ikeProposals' | 'espProposals'>;

/**
 * The group of ESP is for rekeying, with fresh secrecy. ESP has extended sequence numbers (RFC 4303, 2.2.1), for 2^32 packets are over
 * in an hour at 10 Gbit/s.
 */
export const PROFILES = {
  default: {
    ikeProposals: ['aes256gcm16-prfsha384-x25519', 'aes256gcm16-prfsha384-ecp384'],
    espProposals: ['aes256gcm16-x25519-esn', 'aes256gcm16-ecp384-esn'],
  },
  fips: {
    ikeProposals: ['aes256gcm16-prfsha384-ecp384', 'aes256-sha384-prfsha384-ecp384'],
    espProposals: ['aes256gcm16-ecp384-esn', 'aes256-sha384-ecp384-esn'],
  },
  'post-quantum': {
    ikeProposals: ['aes256gcm16-prfsha384-x25519-ke1_mlkem768', 'aes256gcm16-prfsha384-ecp384-ke1_mlkem768'],
    espProposals: ['aes256gcm16-x25519-ke1_mlkem768-esn', 'aes256gcm16-ecp384-ke1_mlkem768-esn'],
  },
} as const satisfies Record<IpsecProfile, Proposals>;

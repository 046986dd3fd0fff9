/** A generation is `{number, driver, keys}`: what changes together when keys, driver or port change. */

import type { PublicKey } from 'wireguard-tools-wrapper';

export type { PublicKey };

/** The public half of one generation, as it stands in the annotation `sheath.dev/generations`. */
export type Generation =
  | {
      readonly number: number;
      readonly driver: 'wireguard';
      readonly publicKey: PublicKey;
      readonly port: number;
    }
  | { readonly number: number; readonly driver: 'ipsec'; readonly publicKey: PublicKey };

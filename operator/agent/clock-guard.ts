/**
 * WireGuard peers refuse handshakes older than the last one they saw with the same key. A node whose clock is behind gets in again
 * only with fresh keys. IKE carries no time: keys of IPsec stay.
 *
 * At a boot any time behind what the disk knows counts, for there is no session to lose. While devices live, theirs go on for three
 * minutes and new ones are tried for one and a half: a clock that is set back by less than a minute catches up by itself.
 */
import type { Keyring } from '../../keys/keyring.ts';
import type { Clock } from '../clock.ts';

export interface ClockGuardOptions {
  readonly clock: Clock;
  readonly keyring: Keyring;
  /** When what is on disk was last known to be true; 0: never. */
  readonly keptAt: number;
  readonly observe: () => Promise<readonly unknown[]>;
  readonly onClockBehind: (behind: number, generations: readonly number[]) => void;
}

/** Milliseconds. */
const CATCHES_UP = 60_000;

export class ClockGuard {
  readonly #options: ClockGuardOptions;
  /** The newest time that was seen; undefined before the first look. */
  #newest: number | undefined;

  constructor(options: ClockGuardOptions) {
    this.#options = options;
  }

  /** @throws KeyringError */
  async check(): Promise<void> {
    const { clock, keyring, keptAt, observe, onClockBehind } = this.#options;
    const now = clock.now();
    const newest = this.#newest ?? Math.max(keyring.newestTimeOnDisk(), keptAt);
    const behind = newest - now;
    const dated = keyring.list().filter(({ driver }) => driver === 'wireguard');
    const booting = this.#newest === undefined && behind > 0 && dated.length > 0;
    const renew = behind > CATCHES_UP || (booting && (await observe()).length === 0);
    this.#newest = renew ? now : Math.max(newest, now);
    if (!renew || dated.length === 0) return;
    const generations = dated.map(({ generation }) => generation);
    for (const generation of generations) keyring.renew(generation);
    onClockBehind(behind, generations);
  }
}

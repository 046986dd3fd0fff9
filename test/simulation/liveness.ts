/**
 * What WireGuard does by itself where data goes one way, or nobody answers: whoever only hears says that he does, with an empty packet;
 * whoever hears nothing makes a handshake. Timers are not moved with each packet: one that is due looks whether there is still a reason.
 */
import { WIREGUARD_TIMES } from '../../mesh/wireguard-times.ts';
import type { Kernel } from './kernel.ts';
import type { Device, Peer } from './wireguard.ts';

const { keepaliveTimeout, rekeyTimeout } = WIREGUARD_TIMES;
const ANSWER_WITHIN = keepaliveTimeout * 1000;
const DOUBT_AFTER = (keepaliveTimeout + rekeyTimeout) * 1000;

type Since = 'owedSince' | 'unansweredSince';

export class Liveness {
  readonly #kernel: Kernel;
  readonly #armed: Record<Since, WeakSet<Peer>> = {
    owedSince: new WeakSet(),
    unansweredSince: new WeakSet(),
  };

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  sentData(device: Device, peer: Peer): void {
    peer.owedSince = undefined;
    peer.unansweredSince ??= this.#kernel.network.time.now();
    this.#arm('unansweredSince', { device, peer, wait: DOUBT_AFTER }, () =>
      this.#kernel.initiate(device, peer),
    );
  }

  heardData(device: Device, peer: Peer): void {
    peer.unansweredSince = undefined;
    peer.owedSince ??= this.#kernel.network.time.now();
    this.#arm('owedSince', { device, peer, wait: ANSWER_WITHIN }, () => this.#kernel.sendEmpty(device, peer));
  }

  #arm(
    since: Since,
    { device, peer, wait }: { device: Device; peer: Peer; wait: number },
    due: () => void,
  ): void {
    const armed = this.#armed[since];
    if (armed.has(peer)) return;
    armed.add(peer);
    const { time } = this.#kernel.network;
    const look = (): void => {
      const at = peer[since];
      if (at !== undefined && this.#kernel.has(device, peer)) {
        const left = at + wait - time.now();
        if (left > 0) {
          time.after(left, look);
          return;
        }
        peer[since] = undefined;
        due();
      }
      armed.delete(peer);
    };
    time.after(wait, look);
  }
}

/** Handshakes of one modelled kernel, as the Linux module makes them: timers.c, send.c and receive.c. */
import { WIREGUARD_TIMES } from '../../mesh/wireguard-times.ts';
import type { Kernel } from './kernel.ts';
import type { Device, Peer, Session } from './wireguard.ts';

const { rekeyTimeout } = WIREGUARD_TIMES;
/** The first, and as many more as Linux makes (MAX_TIMER_HANDSHAKES, and one): with their jitter, 100 s and more. */
const MOST_TRIES = 20;
/** Of the time between two tries, in milliseconds. */
const JITTER = 333;

interface Answer {
  readonly peer: Peer;
  readonly session: Session;
  readonly to: Kernel;
  readonly theirs: Device;
  readonly us: Peer;
}

export class Handshakes {
  readonly #kernel: Kernel;
  /** Of this machine's clock: what initiations say. */
  readonly #now: () => number;
  /** A session is there to send by. */
  readonly #made: (device: Device, peer: Peer, session: Session) => void;

  constructor(parts: {
    kernel: Kernel;
    now: () => number;
    made: (device: Device, peer: Peer, session: Session) => void;
  }) {
    this.#kernel = parts.kernel;
    this.#now = parts.now;
    this.#made = parts.made;
  }

  /** Not so soon after the last message of a handshake: whoever wants it has to ask again. */
  initiate(device: Device, peer: Peer): void {
    const now = this.#kernel.network.time.now();
    if (!peer.trying && now - peer.spokeAt < rekeyTimeout * 1000) return;
    // Whatever is sent meanwhile makes it begin to count anew.
    peer.tries = peer.trying ? 1 : 0;
    if (peer.trying) return;
    peer.trying = true;
    this.#try(device, peer, now);
  }

  confirmed(device: Device, peer: Peer, session: Session): void {
    if (peer.next !== session) return;
    peer.next = undefined;
    peer.received += 148 + 32;
    this.#begin(device, peer, session);
  }

  #begin(device: Device, peer: Peer, session: Session): void {
    peer.former = peer.session;
    peer.session = session;
    peer.lastHandshake = this.#now();
    this.#made(device, peer, session);
  }

  #try(device: Device, peer: Peer, since: number): void {
    const { network } = this.#kernel;
    const gone = !this.#kernel.has(device, peer);
    const done = peer.session !== undefined && peer.session.born >= since;
    if (gone || done || peer.tries >= MOST_TRIES) {
      peer.trying = false;
      if (!done)
        for (const packet of peer.staged.splice(0))
          network.lost(packet, gone ? 'peer removed' : 'no handshake');
      return;
    }
    peer.tries += 1;
    this.#initiation(device, peer);
    network.time.after(rekeyTimeout * 1000 + network.random() * JITTER, () => this.#try(device, peer, since));
  }

  #initiation(device: Device, peer: Peer): void {
    const { network } = this.#kernel;
    const to = network.kernel(peer.node);
    const at = this.#now();
    const from = device.publicKey;
    const asked = {};
    peer.asked = asked;
    peer.spokeAt = network.time.now();
    if (to === undefined) return;
    network.carry(this.#kernel, to, () => {
      const theirs = [...to.devices.values()].find(({ publicKey }) => publicKey === peer.publicKey);
      const us = theirs?.peers.get(from);
      if (theirs === undefined || us === undefined) return;
      if (theirs.driver === 'wireguard' && at <= us.newestInitiation) return;
      us.newestInitiation = at;
      const session: Session = { born: network.time.now(), initiator: this.#kernel };
      us.next = session;
      us.asked = undefined;
      us.spokeAt = session.born;
      us.unansweredSince = undefined;
      network.carry(to, this.#kernel, () => {
        if (peer.asked === asked && this.#kernel.has(device, peer))
          this.#answered(device, { peer, session, to, theirs, us });
      });
    });
  }

  #answered(device: Device, { peer, session, to, theirs, us }: Answer): void {
    peer.asked = undefined;
    peer.received += 92;
    peer.unansweredSince = undefined;
    this.#begin(device, peer, session);
    // The first packet, or an empty one, tells the other end that it is done.
    peer.sent += 32;
    this.#kernel.network.carry(this.#kernel, to, () => to.confirmed(theirs, us, session));
  }
}

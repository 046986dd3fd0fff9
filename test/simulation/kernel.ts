/**
 * A node's kernel, as far as a mesh depends on it: WireGuard devices with their peers, sessions and replay protection, routes, and the
 * door of strict mode. The protocol's numbers are those of the whitepaper, section 6.1.
 */
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName, Observation, Prefix } from '../../mesh/types.ts';
import { WIREGUARD_TIMES } from '../../mesh/wireguard-times.ts';
import type { Network, Packet } from './network.ts';
import type { Device, Peer, Session } from './wireguard.ts';

const { rekeyAfter, rejectAfter, rekeyTimeout, rekeyAttempt } = WIREGUARD_TIMES;
/** Packets that wait for a handshake (MAX_STAGED_PACKETS of Linux). */
const STAGED = 128;

export class Kernel {
  readonly node: string;
  readonly prefix: Prefix;
  readonly network: Network;
  /** Of this machine's clock. */
  readonly #now: () => number;
  readonly devices = new Map<DeviceName, Device>();
  readonly routes = new Map<Prefix, DeviceName>();
  doorShut = false;

  constructor(parts: { node: string; prefix: Prefix; network: Network; now: () => number }) {
    this.node = parts.node;
    this.prefix = parts.prefix;
    this.network = parts.network;
    this.#now = parts.now;
  }

  /** What a reboot leaves. */
  reset(): void {
    this.devices.clear();
    this.routes.clear();
    this.doorShut = false;
  }

  addPeer(device: Device, parts: Pick<Peer, 'publicKey' | 'node' | 'allowedIPs' | 'keepalive'>): void {
    const peer: Peer = {
      ...parts,
      lastHandshake: undefined,
      session: undefined,
      former: undefined,
      next: undefined,
      asked: undefined,
      received: 0,
      sent: 0,
      newestInitiation: 0,
      staged: [],
      tryingUntil: 0,
      trying: false,
    };
    device.peers.set(parts.publicKey, peer);
    this.allow(device, peer, parts.allowedIPs);
    if (parts.keepalive > 0) this.keepAlive(device, peer);
  }

  /** A prefix is one peer's: whoever gets it takes it. */
  allow(device: Device, peer: Peer, prefixes: readonly Prefix[]): void {
    for (const other of device.peers.values())
      if (other !== peer) other.allowedIPs = other.allowedIPs.filter((prefix) => !prefixes.includes(prefix));
    peer.allowedIPs = prefixes;
  }

  /** A persistent keepalive that is set asks at once, and goes on asking. */
  keepAlive(device: Device, peer: Peer): void {
    if (this.devices.get(device.name) !== device || device.peers.get(peer.publicKey) !== peer) return;
    if (peer.keepalive === 0) return;
    if (this.#fresh(peer) === undefined) this.initiate(device, peer);
    else peer.sent += 32;
    this.network.time.after(peer.keepalive * 1000, () => this.keepAlive(device, peer));
  }

  rekeyed(device: Device, publicKey: PublicKey): void {
    device.publicKey = publicKey;
    for (const peer of device.peers.values()) peer.session = peer.former = peer.next = peer.asked = undefined;
  }

  send(packet: Packet): void {
    const { prefix } = packet.to;
    const name = this.routes.get(prefix);
    if (name === undefined) {
      this.#sendClear(packet);
      return;
    }
    const device = this.devices.get(name);
    const peer = [...(device?.peers.values() ?? [])].find(({ allowedIPs }) => allowedIPs.includes(prefix));
    if (device === undefined || peer === undefined) this.network.lost(packet, 'no peer behind the route');
    else this.#sendThrough(device, peer, packet);
  }

  #sendThrough(device: Device, peer: Peer, packet: Packet): void {
    const session = this.#fresh(peer);
    if (session === undefined) {
      peer.staged.push(packet);
      if (peer.staged.length > STAGED) this.network.lost(peer.staged.shift() ?? packet, 'queue full');
      this.initiate(device, peer);
      return;
    }
    this.#transmit(device, peer, { session, packet });
    const aged = this.network.time.now() - session.born > rekeyAfter * 1000;
    if (aged && session.initiator === this) this.initiate(device, peer);
  }

  #sendClear(packet: Packet): void {
    if (this.doorShut) {
      this.network.lost(packet, `door of ${this.node}`);
      return;
    }
    this.network.wentClear(packet);
    const carried = this.network.carry(this, packet.to, () => {
      if (packet.to.doorShut) this.network.lost(packet, `door of ${packet.to.node}`);
      else this.network.arrived(packet);
    });
    if (!carried) this.network.lost(packet, 'path');
  }

  #transmit(device: Device, peer: Peer, { session, packet }: { session: Session; packet: Packet }): void {
    peer.sent += 100;
    const { generation, publicKey } = device;
    const carried = this.network.carry(this, packet.to, () => {
      const why = packet.to.receive({
        generation,
        from: publicKey,
        to: peer.publicKey,
        session,
        prefix: this.prefix,
      });
      if (why === undefined) this.network.arrived(packet);
      else this.network.lost(packet, why);
    });
    if (!carried) this.network.lost(packet, 'path');
  }

  /** Undefined: it is let in; else why not. */
  receive(what: {
    generation: number;
    from: PublicKey;
    to: PublicKey;
    session: Session;
    prefix: Prefix;
  }): string | undefined {
    const device = [...this.devices.values()].find(({ publicKey }) => publicKey === what.to);
    if (device === undefined) return `${this.node} has no device of generation ${what.generation}`;
    const peer = device.peers.get(what.from);
    if (peer === undefined) return `${this.node} has no such peer on generation ${what.generation}`;
    if (peer.next === what.session) this.confirmed(device, peer, what.session);
    if (peer.session !== what.session && peer.former !== what.session)
      return `${this.node} has no such session on generation ${what.generation}`;
    if (!peer.allowedIPs.includes(what.prefix)) return `${this.node} does not allow the source`;
    peer.received += 100;
    return undefined;
  }

  #fresh({ session }: Peer): Session | undefined {
    if (session === undefined) return undefined;
    return this.network.time.now() - session.born < rejectAfter * 1000 ? session : undefined;
  }

  initiate(device: Device, peer: Peer): void {
    peer.tryingUntil = this.network.time.now() + rekeyAttempt * 1000;
    if (peer.trying) return;
    peer.trying = true;
    this.#try(device, peer, this.network.time.now());
  }

  #try(device: Device, peer: Peer, since: number): void {
    const { network } = this;
    const gone = this.devices.get(device.name) !== device || device.peers.get(peer.publicKey) !== peer;
    const done = peer.session !== undefined && peer.session.born >= since;
    if (gone || done || network.time.now() > peer.tryingUntil) {
      peer.trying = false;
      if (!done)
        for (const packet of peer.staged.splice(0))
          network.lost(packet, gone ? 'peer removed' : 'no handshake');
      return;
    }
    this.#initiation(device, peer);
    network.time.after(rekeyTimeout * 1000 + network.random() * 300, () => this.#try(device, peer, since));
  }

  #initiation(device: Device, peer: Peer): void {
    const to = this.network.kernel(peer.node);
    const at = this.#now();
    const from = device.publicKey;
    const asked = {};
    peer.asked = asked;
    if (to === undefined) return;
    this.network.carry(this, to, () => {
      const theirs = [...to.devices.values()].find(({ publicKey }) => publicKey === peer.publicKey);
      const us = theirs?.peers.get(from);
      if (theirs === undefined || us === undefined || at <= us.newestInitiation) return;
      us.newestInitiation = at;
      const session: Session = { born: this.network.time.now(), initiator: this };
      us.next = session;
      us.asked = undefined;
      this.network.carry(to, this, () => {
        if (peer.asked === asked && device.peers.get(peer.publicKey) === peer)
          this.#response(device, { peer, session, to, theirs, us });
      });
    });
  }

  #response(
    device: Device,
    { peer, session, to, theirs, us }: { peer: Peer; session: Session; to: Kernel; theirs: Device; us: Peer },
  ): void {
    peer.asked = undefined;
    peer.former = peer.session;
    peer.session = session;
    peer.lastHandshake = this.#now();
    peer.received += 92;
    for (const packet of peer.staged.splice(0)) this.#transmit(device, peer, { session, packet });
    // The first packet, or an empty one, tells the other end that it is done.
    peer.sent += 32;
    this.network.carry(this, to, () => to.confirmed(theirs, us, session));
  }

  confirmed(device: Device, peer: Peer, session: Session): void {
    if (peer.next !== session) return;
    peer.former = peer.session;
    peer.session = session;
    peer.next = undefined;
    peer.lastHandshake = this.#now();
    peer.received += 148 + 32;
    for (const packet of peer.staged.splice(0)) this.#transmit(device, peer, { session, packet });
  }

  observations(): readonly Observation[] {
    return [...this.devices.values()].flatMap(({ name, generation, peers }) =>
      [...peers.values()].map(({ publicKey, lastHandshake, received, sent }) => ({
        device: name,
        generation,
        publicKey,
        receivedBytes: received,
        sentBytes: sent,
        ...(lastHandshake === undefined ? {} : { lastHandshake }),
      })),
    );
  }
}

/**
 * A node's kernel, as far as a mesh depends on it: WireGuard devices with their peers, sessions and replay protection, routes, and the
 * door of strict mode. The protocol's numbers are those of the whitepaper, section 6.1.
 */
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName, Observation, Prefix } from '../../mesh/types.ts';
import { WIREGUARD_TIMES } from '../../mesh/wireguard-times.ts';
import { Handshakes } from './handshakes.ts';
import { Liveness } from './liveness.ts';
import type { Network, Packet } from './network.ts';
import type { Device, Peer, Session } from './wireguard.ts';

const { rekeyAfter, rejectAfter } = WIREGUARD_TIMES;
/** Packets that wait for a handshake (MAX_STAGED_PACKETS of Linux). */
const STAGED = 128;

export class Kernel {
  readonly node: string;
  readonly prefix: Prefix;
  readonly network: Network;
  readonly #handshakes: Handshakes;
  readonly #liveness = new Liveness(this);
  readonly devices = new Map<DeviceName, Device>();
  readonly routes = new Map<Prefix, DeviceName>();
  doorShut = false;

  constructor(parts: { node: string; prefix: Prefix; network: Network; now: () => number }) {
    this.node = parts.node;
    this.prefix = parts.prefix;
    this.network = parts.network;
    this.#handshakes = new Handshakes({
      kernel: this,
      now: parts.now,
      made: (device, peer, session) => {
        for (const packet of peer.staged.splice(0)) this.#transmit(device, peer, { session, packet });
      },
    });
  }

  has(device: Device, peer: Peer): boolean {
    return this.devices.get(device.name) === device && device.peers.get(peer.publicKey) === peer;
  }

  /** What a reboot leaves. */
  reset(): void {
    this.devices.clear();
    this.routes.clear();
    this.doorShut = false;
  }

  /** Its routes go with it. */
  deleteDevice(name: DeviceName): void {
    this.devices.delete(name);
    for (const [prefix, device] of this.routes) if (device === name) this.routes.delete(prefix);
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
      spokeAt: Number.NEGATIVE_INFINITY,
      owedSince: undefined,
      unansweredSince: undefined,
      staged: [],
      tries: 0,
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
    if (!this.has(device, peer) || peer.keepalive === 0) return;
    if (this.#fresh(peer) === undefined) this.initiate(device, peer);
    else this.sendEmpty(device, peer);
    this.network.time.after(peer.keepalive * 1000, () => this.keepAlive(device, peer));
  }

  /** Handshakes are begun anew, and nothing is sent on what was; what the others still send on it is let in. */
  rekeyed(device: Device, publicKey: PublicKey): void {
    device.publicKey = publicKey;
    for (const peer of device.peers.values()) {
      peer.former = peer.session ?? peer.former;
      peer.session = peer.next = peer.asked = undefined;
      peer.spokeAt = Number.NEGATIVE_INFINITY;
    }
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
    this.#liveness.sentData(device, peer);
    const carried = this.network.carry(this, packet.to, () => {
      const why = packet.to.receive(session, { from: this, generation: device.generation });
      if (why === undefined) this.network.arrived(packet);
      else this.network.lost(packet, why);
    });
    if (!carried) this.network.lost(packet, 'path');
  }

  /** Nobody answers it. */
  sendEmpty(device: Device, peer: Peer): void {
    const session = this.#fresh(peer);
    if (session === undefined) {
      this.initiate(device, peer);
      return;
    }
    peer.sent += 32;
    peer.owedSince = undefined;
    const to = this.network.kernel(peer.node);
    if (to === undefined) return;
    this.network.carry(this, to, () => {
      const there = to.#endOf(session);
      if (there === undefined) return;
      if (there.peer.next === session) to.confirmed(there.device, there.peer, session);
      else there.peer.received += 32;
      there.peer.unansweredSince = undefined;
    });
  }

  /** Undefined: it is let in; else why not. */
  receive(session: Session, { from, generation }: { from: Kernel; generation: number }): string | undefined {
    const end = this.#endOf(session);
    if (end === undefined) return `${this.node} has no such session on generation ${generation}`;
    const { device, peer } = end;
    if (peer.next === session) this.confirmed(device, peer, session);
    this.#liveness.heardData(device, peer);
    if (!peer.allowedIPs.includes(from.prefix)) return `${this.node} does not allow the source`;
    peer.received += 100;
    return undefined;
  }

  /** By its number, as a packet names it: whatever key the device has by now. */
  #endOf(session: Session): { device: Device; peer: Peer } | undefined {
    if (this.network.time.now() - session.born >= rejectAfter * 1000) return undefined;
    for (const device of this.devices.values())
      for (const peer of device.peers.values())
        if (peer.session === session || peer.former === session || peer.next === session)
          return { device, peer };
    return undefined;
  }

  #fresh({ session }: Peer): Session | undefined {
    if (session === undefined) return undefined;
    return this.network.time.now() - session.born < rejectAfter * 1000 ? session : undefined;
  }

  initiate(device: Device, peer: Peer): void {
    this.#handshakes.initiate(device, peer);
  }

  confirmed(device: Device, peer: Peer, session: Session): void {
    this.#handshakes.confirmed(device, peer, session);
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

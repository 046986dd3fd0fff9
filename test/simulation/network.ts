/** The wire between the nodes, the packets on it, and what became of each. */
import type { Kernel } from './kernel.ts';
import type { Time } from './time.ts';

export interface Packet {
  readonly from: Kernel;
  readonly to: Kernel;
  readonly sentAt: number;
}

export interface Witness {
  lost(packet: Packet, why: string): void;
  wentClear(packet: Packet): void;
  arrived?(packet: Packet): void;
}

export class Network {
  readonly time: Time;
  readonly random: () => number;
  readonly kernels = new Map<string, Kernel>();
  /** Nodes that nothing reaches. */
  readonly cut = new Set<string>();
  sent = 0;
  delivered = 0;
  witness: Witness = { lost: () => {}, wentClear: () => {} };

  constructor(time: Time, random: () => number) {
    this.time = time;
    this.random = random;
  }

  order({ node }: Kernel): number {
    return [...this.kernels.keys()].indexOf(node);
  }

  kernel(node: string): Kernel | undefined {
    return this.kernels.get(node);
  }

  /** Whether the path is there; 1 to 20 ms, another each time: packets overtake each other. */
  carry(from: Kernel, to: Kernel, arrive: () => void): boolean {
    if (this.cut.has(from.node) || this.cut.has(to.node)) return false;
    this.time.after(1 + this.random() * 19, () => {
      if (!this.cut.has(from.node) && !this.cut.has(to.node)) arrive();
    });
    return true;
  }

  /** One packet from each pod of `from` to each of `to`. */
  send(from: Kernel, to: Kernel, packet: Packet = { from, to, sentAt: this.time.now() }): void {
    this.sent += 1;
    from.send(packet);
  }

  arrived(packet: Packet): void {
    this.delivered += 1;
    this.witness.arrived?.(packet);
  }

  lost(packet: Packet, why: string): void {
    this.witness.lost(packet, why);
  }

  wentClear(packet: Packet): void {
    this.witness.wentClear(packet);
  }
}

/** One flow: numbered packets one way, and what arrived of them. */
import type { Socket } from 'node:dgram';
import type { FlowReport } from './report.ts';

/** Begins every packet; whoever sees it on the wire sees the inner packet in clear. */
export const MARKER = Buffer.from('sheath-lab-marker');

/** Number of the packets that open the way and are not counted. */
const PRIMER = 0xffff_ffff;

export interface FlowOptions {
  readonly from: string;
  readonly to: string;
  readonly family: 4 | 6;
  readonly sender: Socket;
  readonly receiver: Socket;
  readonly destination: { readonly address: string; readonly port: number };
  /** The sender is connected: `send` names no destination. */
  readonly connected: boolean;
  /** Bytes of payload; the marker and 4 of the number at least. */
  readonly size: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export class Flow {
  readonly #options: FlowOptions;
  readonly #packet: Buffer;
  /** By number: how often it arrived. */
  #arrivals = new Uint8Array(1024);
  #sent = 0;
  #received = 0;
  #duplicates = 0;
  #last: number | undefined;
  #lastSent = 0;
  #primed = false;
  #longestSilence = 0;
  readonly #refused: Record<string, number> = {};

  constructor(options: FlowOptions) {
    this.#options = options;
    this.#packet = Buffer.alloc(Math.max(options.size, MARKER.length + 4), '.');
    MARKER.copy(this.#packet);
    options.receiver.on('message', (message) => this.#arrived(message));
  }

  get sent(): number {
    return this.#sent;
  }

  get missing(): number {
    return this.#sent - this.#received;
  }

  /** Whether a packet of `prime` has arrived. */
  get primed(): boolean {
    return this.#primed;
  }

  /** Sends a packet that is not counted: neighbours are looked for, conntrack learns of the flow. */
  prime(): void {
    this.#put(PRIMER, () => undefined);
  }

  send(): void {
    this.#lastSent = this.#options.now();
    this.#last ??= this.#lastSent;
    const number = this.#sent;
    this.#sent += 1;
    this.#put(number, (error) => {
      if (!error) return;
      const code = error.code ?? 'UNKNOWN';
      this.#refused[code] = (this.#refused[code] ?? 0) + 1;
    });
  }

  #put(number: number, done: (error: NodeJS.ErrnoException | null) => void): void {
    const { sender, destination, connected } = this.#options;
    const packet = Buffer.from(this.#packet);
    packet.writeUInt32BE(number, MARKER.length);
    if (connected) sender.send(packet, done);
    else sender.send(packet, destination.port, destination.address, done);
  }

  report(): FlowReport {
    const { from, to, family } = this.#options;
    // Of those that are still missing at the end.
    const open = this.#lastSent - (this.#last ?? this.#lastSent);
    return {
      from,
      to,
      family,
      sent: this.#sent,
      received: this.#received,
      lost: this.missing,
      ...(this.missing === 0 ? {} : { firstLost: this.#arrivals.indexOf(0) }),
      duplicates: this.#duplicates,
      longestSilenceMs: Math.round(Math.max(this.#longestSilence, open)),
      refused: { ...this.#refused },
    };
  }

  #arrived(message: Buffer): void {
    if (
      message.length < MARKER.length + 4 ||
      message.compare(MARKER, 0, MARKER.length, 0, MARKER.length) !== 0
    )
      return;
    const number = message.readUInt32BE(MARKER.length);
    if (number === PRIMER) this.#primed = true;
    if (number >= this.#sent) return;
    if (number >= this.#arrivals.length) this.#grow();
    if (this.#arrivals[number]) this.#duplicates += 1;
    else this.#received += 1;
    this.#arrivals[number] = 1;
    const now = this.#options.now();
    this.#longestSilence = Math.max(this.#longestSilence, now - (this.#last ?? now));
    this.#last = now;
  }

  #grow(): void {
    const larger = new Uint8Array(Math.max(this.#arrivals.length, this.#sent) * 2);
    larger.set(this.#arrivals);
    this.#arrivals = larger;
  }
}

/**
 * One connection to charon. There are no sequence numbers: what is no event answers what was sent, in the same order (charon takes up
 * one request of a connection after the other), and an exchange that goes wrong ends the connection.
 */
import { connect, type Socket } from 'node:net';
import { ViciError } from './errors.ts';
import { FrameReader, frame } from './frame.ts';
import type { Section } from './message.ts';
import { decodePacket, encodePacket, type Packet, type Request } from './packet.ts';

export type Answer = Exclude<Packet, { type: 'event' }>;

export interface ConnectionOptions {
  /** Path of charon's socket. */
  readonly socket: string;
  readonly onEvent: (name: string, message: Section) => void;
  /** Called once, when the connection ended, by whatever hand but `close`. */
  readonly onEnd: () => void;
}

interface Waiting {
  readonly request: Request;
  /** Milliseconds. */
  readonly timeout: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: ViciError) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  /** In the order in which they were sent. */
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  private constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (piece) => this.#receive(piece));
    socket.on('error', (cause) => this.#end(this.#lost(cause)));
    socket.on('close', () => this.#end(this.#lost()));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** @throws ViciError `VICI_UNREACHABLE` */
  static open(options: ConnectionOptions): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(options.socket);
      const refused = (cause: Error) => {
        const message = `${options.socket}: charon cannot be reached (${cause.message}); does it run, with its vici plugin, and may we connect?`;
        reject(new ViciError('VICI_UNREACHABLE', message, { cause }));
      };
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        // Who waits for an answer has a timer; an idle connection keeps no process alive.
        socket.unref();
        resolve(new Connection(socket, options));
      });
    });
  }

  /**
   * @param timeout milliseconds without any packet while this is the next to be answered: a long list is no silence.
   * @throws ViciError `VICI_LOST`, `VICI_TIMEOUT`, `VICI_MALFORMED`, `VICI_TOO_LARGE`
   */
  exchange(request: Request, timeout: number): Promise<Answer> {
    const bytes = frame(encodePacket(request));
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#lost());
        return;
      }
      this.#waiting.push({ request, timeout, resolve, reject });
      if (this.#waiting.length === 1) this.#await();
      // Copied by the time this is called: a private key is not left behind in memory longer than needed.
      this.#socket.write(bytes, () => bytes.fill(0));
    });
  }

  close(): void {
    this.#ended = true;
    this.#socket.destroy();
    this.#reject(new ViciError('VICI_CLOSED', 'the connection to charon was closed by us'));
  }

  #receive(piece: Buffer): void {
    if (this.#ended) return;
    try {
      for (const segment of this.#reader.push(piece)) this.#take(decodePacket(segment));
    } catch (error) {
      this.#end(error instanceof ViciError ? error : this.#lost(error));
    }
  }

  #take(packet: Packet): void {
    if (packet.type === 'event') {
      this.#await();
      this.#options.onEvent(packet.name, packet.message);
      return;
    }
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      throw new ViciError('VICI_MALFORMED', `${this.#options.socket}: charon answered what nobody asked`);
    }
    this.#await();
    waiting.resolve(packet);
  }

  /** For the answer to the oldest request. */
  #await(): void {
    clearTimeout(this.#timer);
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { request, timeout } = first;
    this.#timer = setTimeout(() => this.#end(this.#late(request.name, timeout)), timeout);
  }

  #end(error: ViciError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#reject(error);
    this.#options.onEnd();
  }

  #reject(error: ViciError): void {
    clearTimeout(this.#timer);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }

  #lost(cause?: unknown): ViciError {
    const message = `${this.#options.socket}: the connection to charon ended; it was stopped or restarted`;
    return new ViciError('VICI_LOST', message, cause === undefined ? undefined : { cause });
  }

  #late(name: string, timeout: number): ViciError {
    const message = `${this.#options.socket}: charon did not answer "${name}" within ${timeout / 1000} s`;
    return new ViciError('VICI_TIMEOUT', message);
  }
}

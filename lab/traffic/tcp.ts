/** One TCP connection that should never break: a line every 20 ms, counted on the other end. */
import type { Server, Socket } from 'node:net';
import { connectIn, listenIn } from '../namespace-sockets.ts';
import type { LabPod } from '../nodes/topology.ts';
import type { TcpReport } from './report.ts';

const PORT = 19_000;
const EVERY_MS = 20;
const LINE = Buffer.from(`${'sheath-lab-marker tcp '.padEnd(99, '.')}\n`);

export class TcpStream {
  readonly #from: LabPod;
  readonly #to: LabPod;
  readonly #family: 4 | 6;
  readonly #server: Server;
  readonly #accepted = new Set<Socket>();
  #client: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;
  #received = 0;
  #resets = 0;
  #closed = false;
  #last = performance.now();
  #longestSilence = 0;

  private constructor(ends: readonly [LabPod, LabPod], family: 4 | 6, server: Server) {
    [this.#from, this.#to] = ends;
    this.#family = family;
    this.#server = server;
    server.on('connection', (socket) => {
      this.#accepted.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (data) => this.#arrived(data.length));
    });
  }

  static async open(from: LabPod, to: LabPod, family: 4 | 6): Promise<TcpStream> {
    const server = await listenIn(to.netns, to.addresses[family === 4 ? 0 : 1] ?? '', PORT);
    const stream = new TcpStream([from, to], family, server);
    await stream.#connect();
    return stream;
  }

  report(): TcpReport {
    const open = performance.now() - this.#last;
    return {
      from: this.#from.name,
      to: this.#to.name,
      family: this.#family,
      sentBytes: this.#sent,
      receivedBytes: this.#received,
      resets: this.#resets,
      longestSilenceMs: Math.round(Math.max(this.#longestSilence, open)),
    };
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#client?.destroy();
    for (const socket of this.#accepted) socket.destroy();
    this.#server.close();
  }

  async #connect(): Promise<void> {
    const client = await connectIn(
      this.#from.netns,
      this.#to.addresses[this.#family === 4 ? 0 : 1] ?? '',
      PORT,
    );
    this.#client = client;
    client.setNoDelay(true);
    client.on('error', () => undefined);
    client.on('close', () => this.#broken());
    client.resume();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      client.write(LINE);
      this.#sent += LINE.length;
    }, EVERY_MS);
  }

  #broken(): void {
    clearInterval(this.#timer);
    if (this.#closed) return;
    this.#resets += 1;
    const again = (): void => {
      if (!this.#closed) this.#connect().catch(() => setTimeout(again, 500));
    };
    again();
  }

  #arrived(bytes: number): void {
    const now = performance.now();
    this.#longestSilence = Math.max(this.#longestSilence, now - this.#last);
    this.#last = now;
    this.#received += bytes;
  }
}

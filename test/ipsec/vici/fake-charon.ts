/** Plays charon on a socket: what it answers to a command is the test's to say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FrameReader, frame } from '../../../tunnels/ipsec/vici/frame.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../tunnels/ipsec/vici/message.ts';

export const CONFIRM = Buffer.from([5]);
export const response = (message: Message) => Buffer.concat([Buffer.from([1]), encodeMessage(message)]);
export const event = (name: string, message: Message) =>
  Buffer.concat([Buffer.from([7, name.length]), Buffer.from(name), encodeMessage(message)]);

type Script = (command: string, message: unknown, reply: (packet: Buffer) => void, socket: Socket) => void;

export class FakeCharon {
  readonly path: string;
  readonly registered = new Set<string>();
  readonly #folder = mkdtempSync(join(tmpdir(), 'sheath-vici-'));
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  script: Script = (_command, _message, reply) => reply(response({}));

  constructor() {
    this.path = join(this.#folder, 'charon.vici');
  }

  async start(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    this.registered.clear();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  emit(name: string, message: Message): void {
    for (const socket of this.#sockets) socket.write(frame(event(name, message)));
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const reader = new FrameReader();
    const reply = (packet: Buffer) => void socket.write(frame(packet));
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      for (const segment of reader.push(piece)) {
        const [type = 0, length = 0] = segment;
        const name = segment.toString('utf8', 2, 2 + length);
        if (type === 3) this.registered.add(name);
        if (type === 4) this.registered.delete(name);
        if (type !== 0) reply(name === 'none' ? Buffer.from([6]) : CONFIRM);
        else this.script(name, decodeMessage(segment.subarray(2 + length)), reply, socket);
      }
    });
  }
}

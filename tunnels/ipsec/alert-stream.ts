/** Reads what charon's plugin error-notify tells, as long as there is a charon that tells. */
import { connect, type Socket } from 'node:net';
import type { IkeRefusal } from '../dataplane.ts';
import { ALERT_SIZE, refusalOf } from './alerts.ts';

export class AlertStream {
  readonly #path: string;
  readonly #onRefusal: (refusal: IkeRefusal) => void;
  #socket: Socket | undefined;

  constructor(path: string, onRefusal: (refusal: IkeRefusal) => void) {
    this.#path = path;
    this.#onRefusal = onRefusal;
  }

  get open(): boolean {
    return this.#socket !== undefined;
  }

  /** Connects unless it is connected. That there is nobody to connect to is no error: this charon does not tell. */
  async connect(): Promise<void> {
    if (this.#socket !== undefined) return;
    const socket = connect(this.#path);
    socket.unref();
    let rest = Buffer.alloc(0);
    socket.on('data', (piece: Buffer) => {
      rest = this.#take(Buffer.concat([rest, piece]));
    });
    await new Promise<void>((resolve) => {
      socket.once('connect', () => {
        this.#socket = socket;
        resolve();
      });
      socket.on('error', () => undefined);
      socket.once('close', () => {
        if (this.#socket === socket) this.#socket = undefined;
        resolve();
      });
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** @returns the beginning of a record of which the rest is still to come */
  #take(bytes: Buffer): Buffer<ArrayBuffer> {
    let at = 0;
    for (; at + ALERT_SIZE <= bytes.length; at += ALERT_SIZE) {
      const refusal = refusalOf(bytes.subarray(at, at + ALERT_SIZE));
      if (refusal !== undefined) this.#onRefusal(refusal);
    }
    return Buffer.from(bytes.subarray(at));
  }
}

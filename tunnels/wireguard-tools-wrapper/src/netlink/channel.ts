/**
 * One netlink socket, one request at a time: the kernel takes no second dump on a socket while the first one runs. The
 * socket is opened with the first request and keeps the process alive only while one is under way.
 *
 * A dump cannot overrun the receive buffer: the kernel writes the next part when the last one has been read.
 */
import { getSystemErrorName } from 'node:util';
import { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { WireGuardError } from '../errors.ts';
import { HEADER, NLM_F, NLMSG } from './uapi.ts';

export interface NetlinkRequest {
  /** A whole message with room for its header; not to be touched until the answer has come. */
  readonly message: Buffer;
  /** The message type: a generic netlink family, or RTM_... */
  readonly type: number;
  /** NLM_F_ACK or NLM_F_DUMP. */
  readonly flags: number;
  /** Called for each part of the answer, with where its payload begins and ends; it must be done with it when it returns. */
  readonly onMessage?: (datagram: Buffer, start: number, end: number) => void;
}

/** The kernel refused. `errno` is `ENODEV`, ...; `EINTR` when what is dumped changed meanwhile. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  readonly errno: string;

  constructor(errno: string, options?: { cause?: unknown }) {
    super(`the kernel answered ${errno}`, options);
    this.errno = errno;
  }
}

/** The kernel writes dumps in pieces of at most 32 KiB when the reader offers as much. */
const RECEIVE_BYTES = 32_768;
/** The kernel takes a message when the send buffer holds it: 64 KiB of attributes and their headers. */
const SEND_BUFFER_BYTES = 262_144;

interface Pending {
  readonly sequence: number;
  readonly request: NetlinkRequest;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  interrupted: boolean;
}

export class NetlinkChannel {
  readonly #protocol: number;
  #socket: RawNetlinkSocket | undefined;
  #queue: Promise<void> = Promise.resolve();
  #pending: Pending | undefined;
  #sequence = 0;
  #closed = false;

  /** @param protocol NETLINK_GENERIC, NETLINK_ROUTE. */
  constructor(protocol: number) {
    this.#protocol = protocol;
  }

  /** Runs `use` when everything asked before it is done: several requests that belong together. */
  exclusive<T>(use: (request: (request: NetlinkRequest) => Promise<void>) => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => use((request) => this.#request(request)));
    this.#queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** @throws NetlinkError when the kernel refuses; WireGuardError `CLOSED`. */
  request(request: NetlinkRequest): Promise<void> {
    return this.exclusive((send) => send(request));
  }

  /** What is under way fails with `CLOSED`. */
  close(): void {
    this.#closed = true;
    this.#drop(new WireGuardError('CLOSED', 'the netlink socket was closed'));
  }

  async #request(request: NetlinkRequest): Promise<void> {
    if (this.#closed) throw new WireGuardError('CLOSED', 'the netlink socket is closed');
    const socket = this.#open();
    this.#sequence = (this.#sequence + 1) >>> 0;
    const sequence = this.#sequence;
    const { message, type, flags } = request;
    message.writeUInt16LE(type, 4);
    message.writeUInt16LE(flags | NLM_F.request, 6);
    message.writeUInt32LE(sequence, 8);
    socket.ref();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#pending = { sequence, request, resolve, reject, interrupted: false };
        socket.send(message, undefined, (error) => {
          if (error !== undefined) reject(new NetlinkError(errnoName(error.errno), { cause: error }));
        });
      });
    } finally {
      this.#pending = undefined;
      if (this.#socket === socket) socket.unref();
    }
  }

  #open(): RawNetlinkSocket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = new RawNetlinkSocket(this.#protocol, {
      messagePeeking: false,
      msgBufferSize: RECEIVE_BYTES,
      recvBufferSize: SEND_BUFFER_BYTES,
      sendBufferSize: SEND_BUFFER_BYTES,
    });
    socket.on('message', (datagram) => this.#receive(datagram));
    // The answer to a refused message repeats the message: its end does not fit, its errno comes first.
    socket.on('truncatedMessage', (datagram) => this.#receive(datagram));
    socket.on('error', (error) => this.#drop(new NetlinkError(errnoName(error.errno), { cause: error })));
    this.#socket = socket;
    return socket;
  }

  /** After an error answers may be missing: the next request starts with a fresh socket. */
  #drop(error: Error): void {
    const socket = this.#socket;
    this.#socket = undefined;
    // Not from within its own callback: the binding of netlink 0.3.0 goes on using what close() frees.
    if (socket !== undefined) setImmediate(() => socket.close());
    this.#pending?.reject(error);
  }

  #receive(datagram: Buffer): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    try {
      for (let at = 0; at + HEADER.message <= datagram.length; ) {
        const length = datagram.readUInt32LE(at);
        if (length < HEADER.message)
          throw new WireGuardError('BAD_ANSWER', `netlink message of ${length} bytes`);
        if (datagram.readUInt32LE(at + 8) === pending.sequence) take(pending, datagram, at, at + length);
        at += (length + 3) & ~3;
      }
    } catch (error) {
      this.#drop(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** One message of the answer. */
function take(pending: Pending, datagram: Buffer, at: number, end: number): void {
  const type = datagram.readUInt16LE(at + 4);
  if ((datagram.readUInt16LE(at + 6) & NLM_F.dumpInterrupted) !== 0) pending.interrupted = true;
  if (type === NLMSG.error || type === NLMSG.done) {
    const errno = end - at >= HEADER.message + 4 ? datagram.readInt32LE(at + HEADER.message) : 0;
    if (errno !== 0) pending.reject(new NetlinkError(errnoName(errno)));
    else if (pending.interrupted) pending.reject(new NetlinkError('EINTR'));
    else pending.resolve();
    return;
  }
  if (end > datagram.length) throw new WireGuardError('BAD_ANSWER', 'a netlink message was cut off');
  pending.request.onMessage?.(datagram, at + HEADER.message, end);
}

/** `ENODEV` for 19 and -19; the number itself when it has no name. */
function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-Math.abs(errno));
  } catch {
    return `errno ${Math.abs(errno)}`;
  }
}

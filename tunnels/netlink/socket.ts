/** Requests to the kernel over one netlink socket: dumps, and many writes in one send. */
import { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { NetlinkError, netlinkError } from './errors.ts';
import { type Message, MessageWriter, messages, NLM_F, NLMSG } from './wire.ts';

export const NETLINK_ROUTE = 0;

/**
 * Closes it in a turn of the event loop of its own. What follows an answer runs inside the socket's callback, and the binding frees
 * there what it still uses afterwards (async_res in netlink 0.3.0's binding.cc): a crash of the process, sooner or later.
 */
export function closeLater(socket: Pick<RawNetlinkSocket, 'close'>): void {
  setImmediate(() => socket.close());
}

/** Writes the message's header fields and attributes, between `begin` and `end`. */
export type Encode = (writer: MessageWriter) => void;

/**
 * One send holds this many messages at most. The kernel answers each refused one with a copy of it, and a socket's receive
 * buffer, 208 KiB where nobody enlarged it, must hold the answers to all of them.
 */
const BATCH = 200;

/** A dump that changed under the kernel's hands is asked again this often. */
const DUMP_TRIES = 5;

/**
 * Milliseconds without any message after which nobody waits for an answer any more. The kernel works while it takes the request, so
 * that the answer is there at once; what is not is lost.
 */
const SILENCE = 10_000;

/** What of the package's socket is used. */
export type Socket = Pick<RawNetlinkSocket, 'on' | 'send' | 'close' | 'address' | 'ref' | 'unref'>;

export interface RequestSocketOptions {
  readonly open?: (protocol: number) => Socket;
  /** Milliseconds. */
  readonly silence?: number;
}

type Waiting = {
  readonly first: number;
  readonly last: number;
  readonly onMessage: (message: Message) => boolean;
  readonly reject: (error: Error) => void;
};

/** The kernel allows one dump at a time on a socket, so requests wait for each other. */
export class RequestSocket {
  readonly #open: () => Socket;
  #socket: Socket;
  /** One for all requests: each message starts it anew. */
  readonly #deadline: NodeJS.Timeout;
  readonly #silence: number;
  #heard = false;
  #sequence = 1;
  #waiting: Waiting | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(protocol: number, options: RequestSocketOptions = {}) {
    const { open = (of) => new RawNetlinkSocket(of), silence = SILENCE } = options;
    this.#open = () => this.#listen(open(protocol));
    this.#socket = this.#open();
    this.#silence = silence;
    this.#deadline = setTimeout(() => this.#silent(), silence).unref();
  }

  #listen(socket: Socket): Socket {
    socket.unref();
    socket.on('message', (datagram) => this.#receive(datagram));
    socket.on('error', (error) => {
      if (socket === this.#socket) this.#fail(error);
    });
    return socket;
  }

  /** What `Message.port` is in notices about our own writes. */
  get port(): number {
    return this.#socket.address().port >>> 0;
  }

  /** Hands each message of the answer to `onMessage`; a repeated dump begins with `restart`. */
  dump(encode: Encode, onMessage: (message: Message) => void, restart: () => void): Promise<void> {
    return this.#inTurn(async () => {
      for (let tries = 0; tries < DUMP_TRIES; tries++) {
        restart();
        if (await this.#dumpOnce(encode, onMessage)) return;
      }
      throw new NetlinkError('EINTR');
    });
  }

  /** What `parse` makes of the messages of the answer. */
  async list<T>(encode: Encode, parse: (message: Message) => T | undefined): Promise<T[]> {
    let found: T[] = [];
    await this.dump(
      encode,
      (message) => {
        const parsed = parse(message);
        if (parsed !== undefined) found.push(parsed);
      },
      () => {
        found = [];
      },
    );
    return found;
  }

  /** One answer a message: undefined when the kernel took it. */
  send(encoders: readonly Encode[]): Promise<(NetlinkError | undefined)[]> {
    return this.#inTurn(async () => {
      const results: (NetlinkError | undefined)[] = [];
      for (let at = 0; at < encoders.length; at += BATCH) {
        results.push(...(await this.#sendBatch(encoders.slice(at, at + BATCH))));
      }
      return results;
    });
  }

  close(): void {
    clearTimeout(this.#deadline);
    closeLater(this.#socket);
    this.#fail(new NetlinkError('ECANCELED'));
  }

  /** @returns whether the dump is consistent. */
  async #dumpOnce(encode: Encode, onMessage: (message: Message) => void): Promise<boolean> {
    let consistent = true;
    await this.#exchange([encode], (message) => {
      if ((message.flags & NLM_F.DUMP_INTR) !== 0) consistent = false;
      if (message.type === NLMSG.ERROR) {
        const errno = message.body.readInt32LE(0);
        if (errno !== 0) throw netlinkError(errno);
        return true;
      }
      if (message.type === NLMSG.DONE) return true;
      onMessage(message);
      return false;
    });
    return consistent;
  }

  async #sendBatch(encoders: readonly Encode[]): Promise<(NetlinkError | undefined)[]> {
    const results = new Array<NetlinkError | undefined>(encoders.length).fill(undefined);
    const first = this.#sequence;
    await this.#exchange(encoders, (message) => {
      if (message.type !== NLMSG.ERROR) return false;
      const errno = message.body.readInt32LE(0);
      const index = message.sequence - first;
      if (errno !== 0) results[index] = netlinkError(errno);
      return index === encoders.length - 1;
    });
    return results;
  }

  /** Sends all in one datagram, and waits until `onMessage` says that the answer is complete. */
  async #exchange(encoders: readonly Encode[], onMessage: (message: Message) => boolean): Promise<void> {
    const writer = new MessageWriter();
    const first = this.#sequence;
    for (const encode of encoders) {
      encode(writer);
      writer.end(this.#sequence++);
    }
    writer.acknowledge();
    const last = this.#sequence - 1;
    await new Promise<void>((resolve, reject) => {
      const done = (message: Message) => {
        const complete = onMessage(message);
        if (complete) resolve();
        return complete;
      };
      this.#socket.ref();
      this.#waiting = { first, last, onMessage: done, reject };
      this.#deadline.refresh();
      this.#socket.send(writer.take(), {}, (error) => {
        if (error !== undefined) this.#fail(error);
      });
    });
  }

  #receive(datagram: Buffer): void {
    this.#heard = true;
    this.#deadline.refresh();
    for (const message of messages(datagram)) {
      const waiting = this.#waiting;
      // Late answers to a request that failed belong to nobody.
      if (waiting === undefined || message.sequence < waiting.first || message.sequence > waiting.last)
        continue;
      try {
        if (waiting.onMessage(message)) this.#settle();
      } catch (error) {
        this.#settle();
        waiting.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  #silent(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#heard = false;
    // Where this process stood still, the answer is there but was not read: that comes between a timer and this.
    setImmediate(() => {
      if (this.#heard || this.#waiting !== waiting) return;
      const message = `the kernel did not answer for ${this.#silence / 1000} s: ETIMEDOUT`;
      this.#waiting = undefined;
      this.#reopen();
      waiting.reject(new NetlinkError('ETIMEDOUT', { message }));
    });
  }

  /** A socket that lost an answer may still be at its dump. */
  #reopen(): void {
    const before = this.#socket;
    try {
      this.#socket = this.#open();
    } catch {
      // No descriptor left, for one: then the one that we have must do. Late answers to it are known by their sequence.
      before.unref();
      return;
    }
    closeLater(before);
  }

  #settle(): void {
    this.#waiting = undefined;
    this.#socket.unref();
  }

  #fail(cause: Error & { code?: string }): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(new NetlinkError(cause.code ?? 'EIO', { cause }));
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(task, task);
    this.#turn = run.catch(() => undefined);
    return run;
  }
}

/**
 * A client of charon that is there as long as it is needed: connects when it is asked something, again when charon was restarted, and
 * keeps its subscriptions over that. What was asked when a connection ended is not asked again: whoever asked knows whether it may be.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, Connection } from './connection.ts';
import { ViciError } from './errors.ts';
import type { Message, Section } from './message.ts';
import { textAt } from './message.ts';
import type { Request } from './packet.ts';

/** Milliseconds of silence until an answer is not waited for any more. charon answers at once, unless it is told to wait for a peer. */
const TIMEOUT = 10_000;
/** Milliseconds between attempts to connect again, while somebody is subscribed. */
const RECONNECT = { first: 100, most: 5_000 } as const;

export interface ViciClientOptions {
  /** Path of charon's socket. */
  readonly socket: string;
  /** Milliseconds. Default: 10 s. */
  readonly timeout?: number;
  /** Called after each connect: what was known of charon may not be so any more. */
  readonly onConnect?: () => void;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds. */
  readonly timeout?: number;
}

interface Command {
  readonly name: string;
  readonly message: Message;
  readonly options: RequestOptions;
}

export type Listener = (message: Section) => void;

export class ViciClient {
  readonly #options: ViciClientOptions;
  /** By event. An event is registered with charon while it has a listener. */
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #closed = new AbortController();
  #connection: Connection | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #reconnecting = false;

  constructor(options: ViciClientOptions) {
    this.#options = options;
  }

  /** Does not wait for the answers to requests before it. @throws ViciError; `VICI_REFUSED` where charon says `success = no`. */
  request(command: string, message: Message = {}, options: RequestOptions = {}): Promise<Section> {
    const sent = this.#inTurn(async () => {
      const connection = await this.#connected();
      const answer = this.#ask(connection, { name: command, message, options });
      // Whoever asked is told.
      answer.catch(() => undefined);
      return { answer };
    }, options.signal);
    const { signal } = options;
    const answered = sent.then(({ answer }) => answer);
    return signal === undefined ? answered : untilAborted(answered, signal);
  }

  /** A command that answers with many events before its response. @param onEvent is called with each of them, in order. */
  stream(
    command: string,
    event: string,
    options: RequestOptions & { readonly message?: Message; readonly onEvent: Listener },
  ): Promise<Section> {
    const { message = {}, onEvent, signal } = options;
    // All in one turn: another command's events of the same name are not ours.
    return this.#inTurn(async () => {
      await this.#listen(event, onEvent);
      try {
        return await this.#command(command, message, options);
      } finally {
        await this.#deafen(event, onEvent);
      }
    }, signal);
  }

  /** Hands on every event of this name until `signal`, over reconnects. Rejects when charon cannot be reached or does not know it. */
  async subscribe(event: string, listener: Listener, signal: AbortSignal): Promise<void> {
    await this.#inTurn(() => this.#listen(event, listener), signal);
    const stop = () => {
      void this.#inTurn(() => this.#deafen(event, listener)).catch(() => undefined);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  close(): void {
    this.#closed.abort();
    this.#listeners.clear();
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #command(name: string, message: Message, options: RequestOptions): Promise<Section> {
    return this.#ask(await this.#connected(), { name, message, options });
  }

  async #ask(connection: Connection, { name, message, options }: Command): Promise<Section> {
    const { timeout = this.#timeout } = options;
    const answer = await connection.exchange({ type: 'request', name, message }, timeout);
    if (answer.type !== 'response') throw unknown(`command "${name}"`, answer);
    if (textAt(answer.message, 'success') !== 'no') return answer.message;
    const why = textAt(answer.message, 'errmsg') ?? 'it does not say why';
    throw new ViciError('VICI_REFUSED', `charon refused "${name}": ${why}`);
  }

  async #listen(event: string, listener: Listener): Promise<void> {
    const listeners = this.#listeners.get(event) ?? new Set();
    listeners.add(listener);
    const first = !this.#listeners.has(event);
    try {
      const connection = await this.#connected();
      if (first) await this.#register(connection, { type: 'register', name: event });
      this.#listeners.set(event, listeners);
    } catch (error) {
      listeners.delete(listener);
      throw error;
    }
  }

  async #deafen(event: string, listener: Listener): Promise<void> {
    const listeners = this.#listeners.get(event);
    listeners?.delete(listener);
    if (listeners === undefined || listeners.size > 0) return;
    this.#listeners.delete(event);
    // A connection that is gone took its registrations with it.
    if (this.#connection?.ended !== false) return;
    await this.#register(this.#connection, { type: 'unregister', name: event }).catch(() => undefined);
  }

  async #register(connection: Connection, request: Request): Promise<void> {
    const answer = await connection.exchange(request, this.#timeout);
    if (answer.type !== 'confirm') throw unknown(`event "${request.name}"`, answer);
  }

  async #connected(): Promise<Connection> {
    if (this.#connection?.ended === false) return this.#connection;
    const connection = await Connection.open({
      socket: this.#options.socket,
      onEvent: (name, message) => this.#hand(name, message),
      onEnd: () => void this.#reconnect(),
    });
    if (this.#closed.signal.aborted) {
      connection.close();
      throw closed();
    }
    this.#connection = connection;
    for (const name of this.#listeners.keys()) await this.#register(connection, { type: 'register', name });
    this.#options.onConnect?.();
    return connection;
  }

  #hand(name: string, message: Section): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(message);
  }

  async #reconnect(): Promise<void> {
    if (this.#reconnecting) return;
    this.#reconnecting = true;
    const { signal } = this.#closed;
    for (let wait: number = RECONNECT.first; this.#listeners.size > 0; wait *= 2) {
      const pause = Math.min(wait, RECONNECT.most) * (0.5 + Math.random() / 2);
      await sleep(pause, undefined, { ref: false, signal }).catch(() => undefined);
      if (signal.aborted) break;
      const reached = await this.#inTurn(() => this.#connected()).catch(() => undefined);
      if (reached !== undefined) break;
    }
    this.#reconnecting = false;
  }

  get #timeout(): number {
    return this.#options.timeout ?? TIMEOUT;
  }

  /** One after the other: what lists, and listens while it does, has nobody beside it. Who gives up is told at once. */
  #inTurn<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const run = this.#turn.then(() => {
      signal?.throwIfAborted();
      if (this.#closed.signal.aborted) throw closed();
      return task();
    });
    this.#turn = run.catch(() => undefined);
    return signal === undefined ? run : untilAborted(run, signal);
  }
}

function untilAborted<T>(run: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    run.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

const closed = () => new ViciError('VICI_CLOSED', 'the client of charon was closed');

function unknown(what: string, answer: Answer): ViciError {
  if (answer.type === 'response' || answer.type === 'confirm') {
    return new ViciError('VICI_MALFORMED', `charon answered the ${what} with what answers something else`);
  }
  return new ViciError('VICI_UNKNOWN', `this charon does not know the ${what}; is it older than 5.9?`);
}

/**
 * The charon that the configuration names: the host's, or one of our own. It may be another one from now on, and it may be ill: whoever
 * asks is never held up for long, because tunnels that need no charon are looked after in the same turn.
 */

import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../failure.ts';
import { Charon, type CharonConfig } from './charon.ts';
import { type Daemon, hostDaemon, ownDaemon, type Vici } from './daemon.ts';
import { IpsecError } from './errors.ts';

const PATIENCE = 3_000;
/** After a call that took long and failed, it is not tried again for so many times as long. */
const REST = 3;
/** What fails sooner, in milliseconds, may be tried at any time. */
const LONG = 1_000;

export interface ChosenDaemonOptions {
  /** Socket of the host's charon; undefined: one of our own. Read anew whenever charon is asked. */
  readonly vici: () => string | undefined;
  /** Of our own charon; and where the host's is noted, for whoever takes everything back. */
  readonly folder: string;
  readonly program: string;
  /** Milliseconds since any moment, never set. */
  readonly steady: () => number;
  /** Milliseconds that one call waits for a charon that starts; the next call waits on. Default: 3000. */
  readonly patience?: number;
}

/** Socket of the host's charon that was used last, as noted in this folder; undefined: none is in use. */
export function hostSocketOf(folder: string): string | undefined {
  try {
    return readFileSync(noteIn(folder), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

const noteIn = (folder: string) => join(folder, 'host-vici');

interface Subscription {
  readonly event: string;
  readonly listener: Parameters<Vici['subscribe']>[1];
  readonly signal: AbortSignal;
}

interface Choice {
  readonly socket: string | undefined;
  readonly daemon: Daemon;
}

interface Start {
  readonly daemon: Daemon;
  readonly done: Promise<void>;
  /** It is not waited for any more. */
  late: boolean;
}

interface Trouble {
  readonly error: unknown;
  /** By `steady`. */
  readonly until: number;
}

export class ChosenDaemon implements Daemon {
  readonly client: Vici;
  readonly #options: ChosenDaemonOptions;
  #choice: Choice | undefined;
  /** Epochs of those that were chosen before. */
  #past = 0;
  /** The host's socket as it is noted; null: not known. */
  #noted: string | undefined | null = null;
  #start: Start | undefined;
  #trouble: Trouble | undefined;
  readonly #subscriptions = new Set<Subscription>();

  constructor(options: ChosenDaemonOptions) {
    this.#options = options;
    this.client = {
      request: (...of) => this.#patiently(() => this.#daemon.client.request(...of)),
      stream: (...of) => this.#patiently(() => this.#daemon.client.stream(...of)),
      subscribe: (...of) => this.#patiently(() => this.#subscribe(...of)),
    };
  }

  get epoch(): number {
    return this.#past + this.#daemon.epoch;
  }

  /** @throws IpsecError, ViciError; what failed slowly fails at once for a while */
  async ready(config: CharonConfig): Promise<void> {
    await this.#patiently(async () => {
      const daemon = this.#daemon;
      await this.#note();
      if (this.#start?.daemon !== daemon) this.#start = this.#begin(daemon, config);
      const start = this.#start;
      await within(this.#options.patience ?? PATIENCE, start.done, () => {
        start.late = true;
      });
    });
  }

  #begin(daemon: Daemon, config: CharonConfig): Start {
    const start: Start = { daemon, done: daemon.ready(config), late: false };
    const over = (well: boolean) => {
      if (this.#start !== start) return;
      this.#start = undefined;
      if (!well) return;
      this.#trouble = undefined;
      // Whoever did not wait is to come again.
      if (start.late) this.#past += 1;
    };
    start.done.then(
      () => over(true),
      () => over(false),
    );
    return start;
  }

  async alive(): Promise<boolean> {
    return this.client.request('version').then(
      () => true,
      () => false,
    );
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
    await rm(noteIn(this.#options.folder), { force: true });
    this.#noted = undefined;
  }

  close(): void {
    this.#choice?.daemon.close();
  }

  get #daemon(): Daemon {
    const socket = this.#options.vici();
    const before = this.#choice;
    if (before !== undefined && before.socket === socket) return before.daemon;
    const daemon = socket === undefined ? ownDaemon(this.#options) : hostDaemon(socket);
    this.#choice = { socket, daemon };
    this.#trouble = undefined;
    if (before === undefined) return daemon;
    this.#past += before.daemon.epoch + 1;
    before.daemon.close();
    for (const one of this.#subscriptions)
      daemon.client.subscribe(one.event, one.listener, one.signal).catch(() => undefined);
    return daemon;
  }

  /** Before anything is given to the host's charon: our own lets go of its ports, and leaves its tunnels in the kernel. */
  async #note(): Promise<void> {
    const { vici, folder } = this.#options;
    const socket = vici();
    if (this.#noted === socket) return;
    if (socket === undefined) await rm(noteIn(folder), { force: true });
    else {
      await new Charon(this.#options).kill();
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(noteIn(folder), `${socket}\n`, { mode: 0o600 });
    }
    this.#noted = socket;
  }

  async #subscribe(...[event, listener, signal]: Parameters<Vici['subscribe']>): Promise<void> {
    await this.#daemon.client.subscribe(event, listener, signal);
    const subscription = { event, listener, signal };
    this.#subscriptions.add(subscription);
    signal.addEventListener('abort', () => void this.#subscriptions.delete(subscription), { once: true });
  }

  async #patiently<T>(task: () => Promise<T>): Promise<T> {
    const { steady } = this.#options;
    const trouble = this.#trouble;
    const since = steady();
    if (trouble !== undefined && since < trouble.until && this.#choice?.socket === this.#options.vici())
      throw trouble.error;
    try {
      return await task();
    } catch (error) {
      const took = steady() - since;
      // What charon refuses is an answer.
      if (took >= LONG && codeOf(error) !== 'VICI_REFUSED')
        this.#trouble = { error, until: steady() + took * REST };
      throw error;
    }
  }
}

async function within(ms: number, task: Promise<void>, onLate: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `charon does not answer after ${ms / 1000} s; it is waited for`;
    timer = setTimeout(() => {
      onLate();
      reject(new IpsecError('CHARON_FAILED', message));
    }, ms);
  });
  try {
    await Promise.race([task, late]);
  } finally {
    clearTimeout(timer);
    // Whoever does not wait any more must not leave its failure to nobody.
    task.catch(() => undefined);
  }
}

/**
 * A charon of our own: a program that outlives us as the tunnels do. An agent that starts again finds it and goes on with it; one that
 * died is started again, while the kernel goes on with the states that it has.
 *
 * Its folder holds `strongswan.conf`, the socket `charon.vici`, `charon.pid`, and `charon.out` with what it said before its log began.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../failure.ts';
import { IpsecError } from './errors.ts';
import { type CharonSettings, strongswanConf } from './strongswan-conf.ts';

/** Where it is, and what it takes, where nobody says otherwise. */
export const CHARON = {
  folder: '/run/sheath/ipsec',
  /** Found on PATH. */
  program: 'charon-systemd',
  /** UDP (RFC 7296, 2.23). */
  ports: { ike: 500, natt: 4500 },
  /** In its folder. */
  socket: 'charon.vici',
} as const;

/** Milliseconds in which it listens, on a busy machine. */
const START = 15_000;
/** Milliseconds that it has to end after SIGTERM: it tells its peers. */
const END = 5_000;
const STEP = 20;

export interface CharonOptions {
  /** Made, 0700, when it is missing. */
  readonly folder: string;
  /** Found on PATH, or a path. */
  readonly program: string;
}

export type CharonConfig = Omit<CharonSettings, 'socket'>;

export class Charon {
  readonly #folder: string;
  readonly #program: string;
  #child: ChildProcess | undefined;

  constructor({ folder, program }: CharonOptions) {
    this.#folder = folder;
    this.#program = program;
  }

  get socket(): string {
    return join(this.#folder, CHARON.socket);
  }

  /**
   * Makes it run with these settings. One that runs with others is ended the hard way, so that it takes no tunnel with it, and
   * started anew. @returns whether it was there already. @throws IpsecError
   */
  async ensure(config: CharonConfig): Promise<'found' | 'started'> {
    const text = strongswanConf({ ...config, socket: this.socket });
    const before = await readFile(this.#conf, 'utf8').catch(() => undefined);
    if (before === text && (await this.#answers())) return 'found';
    await this.#end('SIGKILL');
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(this.#conf, text, { mode: 0o600 });
    await rm(this.socket, { force: true });
    await this.#start();
    return 'started';
  }

  /** Ends it: it tells its peers, and takes its states out of the kernel. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    await rm(this.socket, { force: true });
    await rm(this.#pidFile, { force: true });
  }

  /** Ends it the hard way, and leaves its states in the kernel. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  get #conf(): string {
    return join(this.#folder, 'strongswan.conf');
  }

  get #pidFile(): string {
    return join(this.#folder, 'charon.pid');
  }

  get #output(): string {
    return join(this.#folder, 'charon.out');
  }

  async #start(): Promise<void> {
    const output = openSync(this.#output, 'w', 0o600);
    const child = spawn(this.#program, [], {
      // A session of its own: what ends us, a signal to the group or a closed terminal, is not meant for it.
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, STRONGSWAN_CONF: this.#conf },
    });
    closeSync(output);
    child.unref();
    this.#child = child;
    const ended = endOf(child);
    // Before it listens: whoever finds it listening must know whom to end.
    if (child.pid !== undefined) {
      await writeFile(this.#pidFile, `${child.pid} ${startTime(child.pid)}\n`, { mode: 0o600 });
    }
    const listening = await Promise.race([this.#untilListening(), ended]);
    if (listening !== true) throw this.#failed(listening);
  }

  async #untilListening(): Promise<true | undefined> {
    const deadline = performance.now() + START;
    while (performance.now() < deadline) {
      if (await this.#answers()) return true;
      if (this.#child?.exitCode !== null) return undefined;
      await sleep(STEP);
    }
    return undefined;
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const connection = connect(this.socket);
      connection.once('error', () => resolve(false));
      connection.once('connect', () => {
        connection.destroy();
        resolve(true);
      });
    });
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const pid = await this.#pid();
    if (pid === undefined) return;
    kill(pid, signal);
    const deadline = performance.now() + END;
    while (isAlive(pid)) {
      if (performance.now() > deadline) kill(pid, 'SIGKILL');
      await sleep(STEP);
    }
  }

  /** undefined when it ended, also when another process has its number now. */
  async #pid(): Promise<number | undefined> {
    const text = await readFile(this.#pidFile, 'utf8').catch(() => '');
    const [pid = 0, started] = text.split(/\s+/).map(Number);
    return pid > 1 && startTime(pid) === started ? pid : undefined;
  }

  #failed(cause: unknown): IpsecError {
    if (codeOf(cause) === 'ENOENT') {
      const message = `${this.#program} is not there; install strongSwan (on Debian: charon-systemd and libstrongswan-standard-plugins), or name the socket of a charon that runs`;
      return new IpsecError('CHARON_MISSING', message, { cause });
    }
    const said = tail(this.#output);
    const message = `${this.#program} does not listen on ${this.socket}${said === '' ? '' : `; it said: ${said}`}`;
    return new IpsecError('CHARON_FAILED', message, { cause });
  }
}

/** Why it could not be started, or undefined when it ended. */
const endOf = (child: ChildProcess) =>
  new Promise<Error | undefined>((resolve) => {
    child.once('error', resolve);
    child.once('exit', () => resolve(undefined));
  });

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** A zombie, which waits for us to take note of its end, is none. */
function isAlive(pid: number): boolean {
  const [state] = statOf(pid);
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Clock ticks since boot (proc(5), field 22): with it, a number is one process for ever. */
const startTime = (pid: number): number => Number(statOf(pid)[19] ?? Number.NaN);

/** The fields after the name, which may hold anything. */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function tail(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').slice(-3).join(' | ').slice(-500);
  } catch {
    return '';
  }
}

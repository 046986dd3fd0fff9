/** A charon that nobody of ours looks after: with a strongswan.conf(5) of its own, in this network namespace or another. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { strongswanConf } from '../../tunnels/ipsec/strongswan-conf.ts';

/** As the driver's: IKE packets carry it. */
const MARK = 0x1000;
const PORTS = { ike: 500, natt: 4500 };
/** Milliseconds. */
const PATIENCE = 15_000;

export interface CharonProcessOptions {
  /** Made when it is missing. */
  readonly folder: string;
  /** What the configuration of ours has besides, in the words of strongswan.conf(5). */
  readonly more?: string;
  readonly netns?: string;
}

export class CharonProcess {
  readonly socket: string;
  readonly #options: CharonProcessOptions;
  #child: ChildProcess | undefined;

  constructor(options: CharonProcessOptions) {
    const { folder, more = '' } = options;
    this.#options = options;
    this.socket = path.join(folder, 'charon.vici');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const settings = { socket: this.socket, fwmark: MARK, ports: PORTS } as const;
    writeFileSync(path.join(folder, 'strongswan.conf'), `${strongswanConf(settings)}${more}`);
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('charon does not run');
    return this.#child.pid;
  }

  /** Returns when it listens. */
  async start(): Promise<void> {
    const { folder, netns } = this.#options;
    rmSync(this.socket, { force: true });
    const log = openSync(path.join(folder, 'log'), 'a');
    const [program = '', ...args] = [
      ...(netns === undefined ? [] : ['ip', 'netns', 'exec', netns]),
      'charon-systemd',
    ];
    const env = { ...process.env, STRONGSWAN_CONF: path.join(folder, 'strongswan.conf') };
    this.#child = spawn(program, args, { env, stdio: ['ignore', log, log] });
    const deadline = performance.now() + PATIENCE;
    while (!(await listens(this.socket))) {
      if (performance.now() > deadline) throw new Error(`charon does not listen: see ${folder}/log`);
      await sleep(10);
    }
  }

  /** It tells nobody, and leaves its states. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('error', () => resolve(false));
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
  });
}

/** The program itself, `sheath controller`, as a child, and what the kernel and its metrics say of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

const PROGRAM = path.join(import.meta.dirname, '../dist/sheath.mjs');
const PORT = 9560;
/** `getconf CLK_TCK`: the same on every Linux that Node runs on. */
const TICKS = 100;

export class ControllerProcess {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'sheath-bench-controller-'));
  readonly #child: ChildProcess;

  constructor(kubeconfig: string) {
    const log = openSync(path.join(this.#folder, 'log'), 'w');
    const flags = ['--kubeconfig', kubeconfig, '--http', `127.0.0.1:${PORT}`];
    this.#child = spawn('node', [PROGRAM, 'controller', ...flags], { stdio: ['ignore', log, log] });
  }

  /** CPU seconds. */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.#pid}/stat`, 'utf8');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return ((fields[11] ?? 0) + (fields[12] ?? 0)) / TICKS;
  }

  /** VmRSS in MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  /** Writes of the resource since it began: status, finalizers, generation. */
  async writes(): Promise<number> {
    const text = await body(`http://127.0.0.1:${PORT}/metrics`);
    const counts = text.matchAll(/^sheath_controller_writes_total\{.*\} (\d+)$/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  log(): string {
    return readFileSync(path.join(this.#folder, 'log'), 'utf8');
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }

  get #pid(): number {
    if (this.#child.pid === undefined) throw new Error('the controller did not start');
    return this.#child.pid;
  }
}

function body(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece: string) => {
        text += piece;
      });
      answer.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

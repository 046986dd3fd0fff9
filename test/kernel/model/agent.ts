/** A process with the dataplane of a node, and how it is asked. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { exited } from '../../../lab/processes.ts';
import type { Observation } from '../../../mesh/types.ts';
import type { Report } from '../../../tunnels/dataplane.ts';
import type { Wanted } from '../../simulation/contract/world.ts';

const SCRIPT = join(import.meta.dirname, 'node.ts');

export interface AgentOptions {
  readonly netns: string;
  readonly stateDir: string;
  readonly node: number;
  readonly size: number;
}

interface Answer {
  readonly value?: unknown;
  readonly error?: string;
}

export class Agent {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #next = 0;

  constructor({ netns, stateDir, node, size }: AgentOptions) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const flags = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
    const argv = [process.execPath, ...flags, SCRIPT, stateDir, String(node), String(size)];
    const child = spawn('ip', ['netns', 'exec', netns, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = child;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [id, answer] = JSON.parse(line) as [number, Answer];
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    child.once('close', () => {
      for (const settle of this.#waiting.values()) settle({ error: `the agent of n${node} ended` });
    });
  }

  set(wanted: Wanted): Promise<Report> {
    return this.#ask('set', wanted) as Promise<Report>;
  }

  observe(): Promise<readonly Observation[]> {
    return this.#ask('observe') as Promise<readonly Observation[]>;
  }

  /** As a crash: what it left goes on. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await exited(this.#process);
  }

  #ask(verb: string, wanted?: Wanted): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ value, error }) =>
        error === undefined ? resolve(value) : reject(new Error(error)),
      );
      this.#process.stdin?.write(`${JSON.stringify([id, verb, wanted])}\n`);
    });
  }
}

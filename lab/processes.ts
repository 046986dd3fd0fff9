/** Child processes with an explicit lifetime. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** A command ended with something else than 0, or could not be started. */
export class CommandError extends Error {
  readonly code = 'COMMAND_FAILED';
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  constructor(argv: readonly string[], ended: { cause: unknown; stdout: string; stderr: string }) {
    const last = ended.stderr.trim().split('\n').at(-1);
    super(`${argv.join(' ')}: ${last || String(ended.cause)}`, { cause: ended.cause });
    const { code } = ended.cause as { code?: unknown };
    this.exitCode = typeof code === 'number' ? code : undefined;
    this.stdout = ended.stdout;
    this.stderr = ended.stderr;
  }
}

/** Runs a command to its end and returns its standard output. Throws `CommandError`. */
export function run(
  argv: readonly string[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<string> {
  const [file = '', ...args] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(file, args, { maxBuffer: 64 << 20, encoding: 'utf8', ...options }, (cause, stdout, stderr) => {
    if (cause) reject(new CommandError(argv, { cause, stdout, stderr }));
    else resolve(stdout);
  });
  return promise;
}

/** Starts a process whose output goes to a log file. */
export function spawnLogged(argv: readonly string[], logFile: string, detached = false): ChildProcess {
  const [file = '', ...args] = argv;
  const log = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(file, args, { stdio: ['ignore', log, log], detached });
    child.on('error', () => {
      // `exited` reports it; without a listener it would end the whole program.
    });
    return child;
  } finally {
    closeSync(log);
  }
}

export function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Ends a process: SIGTERM, and SIGKILL after `patience` milliseconds. */
export async function end(child: ChildProcess, patience = 5000): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  await exited(child);
  clearTimeout(timer);
}

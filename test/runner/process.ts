/** One child process with everything below it, its output in a file, and an end that always comes. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';

export type End =
  | { readonly type: 'exit'; readonly code: number }
  | { readonly type: 'signal'; readonly signal: string }
  | { readonly type: 'timeout'; readonly seconds: number }
  | { readonly type: 'unstartable'; readonly reason: string };

export interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** File descriptor for its output and errors; closed here. */
  readonly output: number;
  readonly timeoutSeconds: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

const GRACE_MS = 5000;

/** Runs `command` in a process group of its own; the group is gone when the promise settles. It never rejects. */
export async function run(command: readonly string[], options: RunOptions): Promise<End> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', options.output, options.output],
    detached: true,
  });
  closeSync(options.output);
  let late = false;
  const stop = () => killGroup(child.pid, 'SIGTERM');
  const timer = setTimeout(() => {
    late = true;
    stop();
    // Whoever ignores the polite signal.
    setTimeout(() => killGroup(child.pid, 'SIGKILL'), GRACE_MS).unref();
  }, options.timeoutSeconds * 1000);
  options.signal.addEventListener('abort', stop);
  try {
    return await new Promise<End>((resolve) => {
      child.once('error', (error) => resolve({ type: 'unstartable', reason: error.message }));
      child.once('exit', (code, signal) => {
        if (late) resolve({ type: 'timeout', seconds: options.timeoutSeconds });
        else if (code !== null) resolve({ type: 'exit', code });
        else resolve({ type: 'signal', signal: signal ?? 'an unknown signal' });
      });
    });
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', stop);
    killGroup(child.pid, 'SIGKILL');
  }
}

function killGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // ESRCH: nobody is left in it.
  }
}

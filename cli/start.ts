import type { Context } from './context.ts';
import { EXIT } from './exit.ts';
import { main } from './main.ts';

/** Runs the process's own command line and leaves its exit code behind. */
export async function start(): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(signal));
  endQuietlyWhenNobodyReads();
  const context: Context = {
    out: process.stdout,
    err: process.stderr,
    env: process.env,
    now: Date.now,
    signal: stop.signal,
    exitCode: EXIT.well,
  };
  process.exitCode = await main(process.argv.slice(2), context);
}

/** `sheath peers | head -1` closes the pipe before we are done: that is no error. A full disk is one, in one line. */
function endQuietlyWhenNobodyReads(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    process.stderr.write(`sheath: cannot write what was asked for: ${error.message}\n`);
    process.exit(EXIT.wrong);
  });
}

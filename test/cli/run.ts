/** Runs one command line in this process and keeps what it wrote. */
import { Writable } from 'node:stream';
import type { Context } from '../../cli/context.ts';
import { EXIT, type ExitCode } from '../../cli/exit.ts';
import { main } from '../../cli/main.ts';
import { NOW } from './fixtures.ts';

export interface Ran {
  readonly out: string;
  readonly err: string;
  readonly code: ExitCode;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Nothing of this process's environment is seen, nor is its home. */
export async function sheath(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [out, err] = [collector(), collector()];
  const context: Context = {
    out: out.stream,
    err: err.stream,
    env: { HOME: '/nonexistent', ...options.env },
    now: () => NOW,
    signal: options.signal ?? new AbortController().signal,
    exitCode: EXIT.well,
  };
  const code = await main(argv, context);
  return { out: out.text(), err: err.text(), code };
}

function collector(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
}

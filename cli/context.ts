import { styleText } from 'node:util';
import type { ExitCode } from './exit.ts';

/** A colour or weight, by what it means to the reader. */
export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong';
export type Paint = (tone: Tone, text: string) => string;

/** What `process.stdout` has and a test's stream need not. */
export type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** Everything a command may touch of the process it runs in. */
export interface Context {
  /** What was asked for. */
  readonly out: Terminal;
  /** Progress and errors. */
  readonly err: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Aborted on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** What the process ends with when no error is thrown; a command sets it to say that the mesh is not well. */
  exitCode: ExitCode;
}

const STYLES = {
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  dim: 'dim',
  strong: 'bold',
} as const satisfies Record<Tone, Parameters<typeof styleText>[0]>;

/** Colours for a terminal that wants them (NO_COLOR, FORCE_COLOR, no TTY: see `util.styleText`), else the bare text. */
export function painter(stream: Terminal): Paint {
  return (tone, text) => styleText(STYLES[tone], text, { stream });
}

export const plain: Paint = (_tone, text) => text;

import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from './context.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { explain } from './explain.ts';

const PERIOD = 1000;
const HOME_AND_CLEAR = '\u001b[H\u001b[J';

/** What one look yields: the text for the reader, and the part of it that is worth a new line in a log. */
export interface Look {
  readonly text: string;
  /** Two looks with equal keys tell nothing new: ages and counters are left out. */
  readonly key: string;
  readonly exitCode: ExitCode;
}

/**
 * Looks once; with `watch` again and again until the signal aborts. A terminal is redrawn in place; into a pipe or file only
 * what is new is written. While watching, an agent that does not answer is told on stderr and asked again.
 */
export async function look(context: Context, take: () => Promise<Look>, watch: boolean): Promise<void> {
  if (!watch) {
    const { text, exitCode } = await take();
    context.out.write(text);
    context.exitCode = exitCode;
    return;
  }
  let shown: string | undefined;
  while (!context.signal.aborted) {
    shown = await lookAgain(context, take, shown);
    await sleep(PERIOD, undefined, { signal: context.signal }).catch(() => undefined);
  }
}

async function lookAgain(
  context: Context,
  take: () => Promise<Look>,
  shown: string | undefined,
): Promise<string | undefined> {
  try {
    const { text, key, exitCode } = await take();
    context.exitCode = exitCode;
    if (context.out.isTTY) context.out.write(`${HOME_AND_CLEAR}${text}`);
    else if (key !== shown) context.out.write(text);
    return key;
  } catch (error) {
    const { message, exitCode } = explain(error);
    if (exitCode !== EXIT.unreachable) throw error;
    context.exitCode = exitCode;
    if (message !== shown) context.err.write(`sheath: ${message}\n`);
    return message;
  }
}

/** Asks before something that people may regret. */
import { createInterface } from 'node:readline/promises';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';

/** Each question in turn; anything but the answer it names ends it. @throws CliError `USAGE` without a terminal, `DECLINED` */
export async function confirm(questions: readonly Question[], context: Context): Promise<void> {
  if (process.stdin.isTTY !== true)
    throw usageError(`${questions[0]?.text ?? 'this'} Nobody is here to ask: give --yes to go on`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    for (const { text, answer } of questions) {
      // Ctrl-C and Ctrl-D are a no as well.
      const given = await terminal
        .question(`${text} Type '${answer}' to go on: `, { signal: context.signal })
        .catch(() => '\n');
      if (given.trim() !== answer)
        throw new CliError('nothing was changed', { code: 'DECLINED', exitCode: EXIT.wrong });
    }
  } finally {
    terminal.close();
  }
}

export interface Question {
  /** Ends with a full stop or a question mark. */
  readonly text: string;
  readonly answer: string;
}

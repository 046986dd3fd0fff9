/** How a rollout ended, for the reader and for programs. */
import type { Straggler } from '../../mesh/progress.ts';
import { type Context, painter } from '../context.ts';
import { EXIT } from '../exit.ts';
import { type OutputOptions, render } from '../format/output.ts';
import { printable } from '../format/table.ts';
import { textWidth, wrap } from '../format/text.ts';
import { formatSpan } from '../format/values.ts';

export interface RolloutResult {
  /** One sentence, what was done. */
  readonly message: string;
  /** What was written to the resource; `null`: taken away. Empty: it was so already. */
  readonly changed: Readonly<Record<string, unknown>>;
  /** Absent when nothing was waited for. */
  readonly reached?: boolean;
  /** Milliseconds of waiting. */
  readonly took?: number;
  /** Who is not there yet, and who never will be. */
  readonly waiting: readonly Straggler[];
}

export async function finish(
  result: RolloutResult,
  { output }: OutputOptions,
  context: Context,
): Promise<void> {
  const { took, ...rest } = result;
  const value = { ...rest, ...(took === undefined ? {} : { took: Math.round(took) }) };
  context.out.write(await render(value, { output, text: () => formatResult(result, context) }));
  context.exitCode = result.reached === false ? EXIT.wrong : EXIT.well;
}

function formatResult({ message, waiting, reached, took }: RolloutResult, context: Context): string {
  const paint = painter(context.out);
  const width = textWidth(context.out.columns);
  const after = took === undefined || took < 1000 ? '' : ` (${formatSpan(took)})`;
  const tone = reached === false ? 'bad' : 'strong';
  const lines = waiting.map(({ node, reason }) => {
    const name = printable(node);
    return `  ${paint('warn', name)}: ${wrap(printable(reason), { width, first: name.length + 4, rest: 6 })}\n`;
  });
  return `${paint(tone, message)}${after}\n${lines.join('')}`;
}

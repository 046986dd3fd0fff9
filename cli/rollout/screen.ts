/** The progress of a rollout on stderr: redrawn in place on a terminal, a line for each change elsewhere. */
import type { Straggler } from '../../mesh/progress.ts';
import { type Rotation, wayOf } from '../../mesh/rotation-progress.ts';
import { type Context, painter } from '../context.ts';
import { printable } from '../format/table.ts';
import { textWidth, wrap } from '../format/text.ts';
import type { Goal, Progress } from './goal.ts';

const SHOWN = 10;
const BAR = 24;

const VERBS: Readonly<Record<Goal['kind'], string>> = {
  encrypted: 'encrypted',
  strict: 'shut',
  off: 'off',
  rotated: 'rotated',
};

export class Screen {
  readonly #context: Context;
  readonly #goal: Goal;
  #drawn = 0;
  #told = '';

  constructor(context: Context, goal: Goal) {
    this.#context = context;
    this.#goal = goal;
  }

  show(progress: Progress, trouble: string | undefined): void {
    const lines = progressLines(progress, this.#goal, {
      width: textWidth(this.#context.err.columns),
      paint: painter(this.#context.err),
    });
    if (trouble !== undefined) lines.push(`  the API server: ${printable(trouble)}`);
    this.#draw(lines);
  }

  trouble(message: string): void {
    this.#draw([`the API server does not answer, and is asked again: ${printable(message)}`]);
  }

  /** Leaves what was drawn last. */
  end(): void {
    this.#drawn = 0;
  }

  #draw(lines: readonly string[]): void {
    const { err } = this.#context;
    const text = lines.join('\n');
    if (text === this.#told) return;
    this.#told = text;
    if (err.isTTY !== true) {
      err.write(`${text}\n`);
      return;
    }
    const back = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}F\u001b[J`;
    err.write(`${back}${text}\n`);
    this.#drawn = rows(lines, err.columns || 80);
  }
}

/** Rows of the terminal: long lines take several. */
function rows(lines: readonly string[], columns: number): number {
  return lines
    .flatMap((line) => line.split('\n'))
    .reduce((sum, line) => sum + Math.max(1, Math.ceil(visible(line) / Math.max(1, columns))), 0);
}

function visible(line: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is left out
  return line.replace(/\u001b\[[0-9;]*m/g, '').length;
}

interface Look {
  readonly width: number;
  readonly paint: ReturnType<typeof painter>;
}

/** `[#########...............]  3/9 encrypted`, then who is not. Pure. */
export function progressLines(progress: Progress, goal: Goal, { width, paint }: Look): string[] {
  const { done, total, stragglers } = progress;
  const heads =
    goal.kind === 'rotated' && progress.rotation !== undefined
      ? rotationBars(progress.rotation)
      : [`${bar(done, total)} ${done}/${total} ${VERBS[goal.kind]}`];
  const shown = stragglers.slice(0, SHOWN).map(({ node, reason }: Straggler) => {
    const name = printable(node);
    return `  ${paint('warn', name)}: ${wrap(printable(reason), { width, first: name.length + 4, rest: 6 })}`;
  });
  const more = stragglers.length - shown.length;
  return [...heads, ...shown, ...(more > 0 ? [`  and ${more} more`] : [])];
}

function rotationBars(rotation: Rotation): string[] {
  const { total, published, switched, withdrawn } = rotation;
  const line = (name: string, at: number) => `  ${name.padEnd(26)}${bar(at, total)} ${at}/${total}`;
  return [
    wayOf(rotation).replace(/^from /, ''),
    line('published', published),
    // A node switches as soon as it is established with every peer: only its agent could tell the one from the other.
    line('established and switched', switched),
    line('withdrawn', withdrawn),
  ];
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR : Math.floor((done / total) * BAR);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`;
}

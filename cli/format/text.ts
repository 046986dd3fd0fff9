export interface WrapOptions {
  readonly width: number;
  /** Columns that the caller has already used on the first line. */
  readonly first: number;
  /** Blanks before each further line. */
  readonly rest: number;
}

/** Breaks at blanks so that no line is longer than `width`, but for words that are. */
export function wrap(text: string, options: WrapOptions): string {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of text.split(' ')) {
    const room = options.width - (lines.length === 0 ? options.first : options.rest);
    if (line !== undefined && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === undefined ? word : `${line} ${word}`;
    }
  }
  return [...lines, line ?? ''].join(`\n${' '.repeat(options.rest)}`);
}

/** As wide as the terminal, 80 where there is none or it does not say (0), and never wider than reads well. */
export function textWidth(columns: number | undefined): number {
  return Math.min(columns || 80, 100);
}

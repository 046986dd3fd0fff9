import type { Paint, Tone } from '../context.ts';

/** One column of a table; `wide` ones are shown with `-o wide` only. */
export interface Column<Row> {
  readonly header: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
  readonly wide?: boolean;
  readonly tone?: (row: Row) => Tone | undefined;
}

export interface TableOptions<Row> {
  readonly columns: readonly Column<Row>[];
  readonly paint: Paint;
  readonly wide?: boolean;
}

const GAP = '  ';

/** Columns as wide as their widest cell, two spaces apart, no lines, no trailing blanks; ends with a newline. */
export function renderTable<Row>(rows: readonly Row[], options: TableOptions<Row>): string {
  const columns = options.columns.filter((column) => options.wide || !column.wide);
  const cells = columns.map((column) => [column.header, ...rows.map((row) => printable(column.value(row)))]);
  const widths = cells.map(widest);
  const lines = [undefined, ...rows].map((row, at) =>
    columns
      .map((column, index) => {
        const text = cells[index]?.[at] ?? '';
        const last = index === columns.length - 1;
        return padded(column, {
          text,
          width: widths[index] ?? 0,
          last,
          tint: tint(column, row, options.paint),
        });
      })
      .join(GAP),
  );
  return `${lines.join('\n')}\n`;
}

/** Of any number of them: as arguments of `Math.max` some 100,000 overflow the stack. */
export function widest(texts: readonly string[]): number {
  let width = 0;
  for (const { length } of texts) if (length > width) width = length;
  return width;
}

/** Names and messages come from others: control characters in them must not reach the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

function tint<Row>(column: Column<Row>, row: Row | undefined, paint: Paint): (text: string) => string {
  const tone = row === undefined ? 'dim' : column.tone?.(row);
  return tone === undefined ? (text) => text : (text) => paint(tone, text);
}

function padded<Row>(
  column: Column<Row>,
  cell: { text: string; width: number; last: boolean; tint: (text: string) => string },
): string {
  const blanks = ' '.repeat(cell.width - cell.text.length);
  if (column.align === 'right') return blanks + cell.tint(cell.text);
  return cell.last ? cell.tint(cell.text) : cell.tint(cell.text) + blanks;
}

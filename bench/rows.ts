/** What a bench says: one figure a row, with its mark where there is one. */
import { appendFileSync } from 'node:fs';

/** Environment variable that names the file the rows go to, one JSON value a line. */
export const ROWS = 'SHEATH_BENCH_ROWS';

export interface Row {
  /** What was measured: `bring up, ours`. */
  readonly what: string;
  /** Under which circumstance: `1000 peers`. */
  readonly where: string;
  readonly value: number;
  readonly unit:
    | 'ms'
    | 's'
    | 'CPU s'
    | 'CPU ms'
    | 'MiB'
    | 'KiB'
    | 'x'
    | 'packets'
    | 'writes'
    | 'requests'
    | 'Mbit/s';
  /** The mark to reach. */
  readonly mark?: Mark;
}

export type Mark = { readonly atMost: number } | { readonly atLeast: number };

/** Hands a row to whoever started the bench; the value is rounded to three digits. */
export function row(figure: Row): void {
  const file = process.env[ROWS];
  if (file === undefined) throw new Error(`${ROWS} is not set: start a bench with npm run bench`);
  appendFileSync(file, `${JSON.stringify({ ...figure, value: round(figure.value) })}\n`);
}

function round(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(3));
}

export function reached({ value, mark }: Row): boolean | undefined {
  if (mark === undefined) return undefined;
  return 'atMost' in mark ? value <= mark.atMost : value >= mark.atLeast;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error('the median of nothing');
  return middle;
}

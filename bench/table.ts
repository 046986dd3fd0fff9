/** Rows as a person reads them. */
import { styleText } from 'node:util';
import { type Row, reached } from './rows.ts';

export function printTable(rows: readonly Row[]): void {
  for (const figure of rows) {
    const value = `${figure.value} ${figure.unit}`.padStart(14);
    process.stdout.write(
      `  ${figure.what.padEnd(46)} ${figure.where.padEnd(14)} ${value}  ${verdict(figure)}\n`,
    );
  }
}

function verdict(figure: Row): string {
  if (figure.mark === undefined) return '';
  const wish = 'atMost' in figure.mark ? `at most ${figure.mark.atMost}` : `at least ${figure.mark.atLeast}`;
  return reached(figure) ? styleText('green', wish) : styleText('red', `missed: ${wish}`);
}

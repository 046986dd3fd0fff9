/** Puts the figures of `results/*.json` into README.md, so that what it says is what was measured. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Row, reached } from './rows.ts';

const README = path.join(import.meta.dirname, 'README.md');
const BEGIN = '<!-- figures: written by npm run bench -->';
const END = '<!-- end of figures -->';

interface Results {
  readonly bench: string;
  readonly date: string;
  readonly rows: readonly Row[];
}

export function updateReadme(): void {
  const results = globSync('results/*.json', { cwd: import.meta.dirname })
    .sort()
    .map((file) => JSON.parse(readFileSync(path.join(import.meta.dirname, file), 'utf8')) as Results);
  const text = readFileSync(README, 'utf8');
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before === -1 || after === -1) throw new Error(`${README} has lost the marks of its figures`);
  const tables = results.map(table).join('\n');
  writeFileSync(README, `${text.slice(0, before)}${BEGIN}\n\n${tables}\n${text.slice(after)}`);
}

function table({ bench, date, rows }: Results): string {
  const lines = rows.map((figure) => {
    const mark = figure.mark === undefined ? '' : wish(figure);
    return `| ${figure.what} | ${figure.where} | ${figure.value} ${figure.unit} | ${mark} |`;
  });
  const head = `| ${bench} | | ${date.slice(0, 16).replace('T', ' ')} UTC | mark |\n|---|---|---:|---|`;
  return `${head}\n${lines.join('\n')}\n`;
}

function wish(figure: Row): string {
  if (figure.mark === undefined) return '';
  const text = 'atMost' in figure.mark ? `at most ${figure.mark.atMost}` : `at least ${figure.mark.atLeast}`;
  return reached(figure) ? text : `**missed**: ${text}`;
}

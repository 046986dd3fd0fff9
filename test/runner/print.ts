/** What a person reads of a run. */
import { styleText } from 'node:util';
import type { SuiteResult } from './suite.ts';

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One line: the suite, what came of it, how long it took. */
export function printResult(name: string, { passed, failures, seconds }: SuiteResult): void {
  const verdict =
    failures.length > 0 ? styleText('red', `${failures.length} failed`) : styleText('green', 'ok');
  const count = passed > 0 ? `${passed} passed` : '';
  say(`${name.padEnd(62)} ${count.padStart(11)} ${seconds.toFixed(0).padStart(4)} s  ${verdict}`);
}

/** Every failure of a suite, in full. */
export function printFailures(name: string, { failures }: SuiteResult): void {
  for (const { title, detail } of failures) {
    say(`\n${styleText('red', 'FAILED')} ${name}: ${title}`);
    if (detail !== '') say(detail.replace(/^/gm, '  '));
  }
  if (failures.length > 0) say('');
}

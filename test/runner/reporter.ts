/** A mocha reporter that appends every result to a file at once: it survives whatever happens to the process after it. */
import { appendFileSync } from 'node:fs';
import Mocha, { type Runner, type Test } from 'mocha';
import { REPORT, type TestEvent } from './events.ts';

const { EVENT_RUN_BEGIN, EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } =
  Mocha.Runner.constants;

export default class FileReporter {
  constructor(runner: Runner) {
    const file = process.env[REPORT];
    if (file === undefined) throw new Error(`${REPORT} is not set: this reporter is for test/run.sh`);
    const write = (event: TestEvent) => appendFileSync(file, `${JSON.stringify(event)}\n`);
    runner.once(EVENT_RUN_BEGIN, () => write({ event: 'start', total: runner.total }));
    runner.on(EVENT_TEST_PASS, (test: Test) =>
      write({ event: 'pass', title: title(test), milliseconds: test.duration ?? 0 }),
    );
    runner.on(EVENT_TEST_FAIL, (test: Test, error: unknown) =>
      write({ event: 'fail', title: title(test), error: describe(error) }),
    );
    runner.on(EVENT_TEST_PENDING, (test: Test) => write({ event: 'pending', title: title(test) }));
    runner.once(EVENT_RUN_END, () => write({ event: 'end' }));
  }
}

function title(test: Test): string {
  return test.titlePath().join(' > ');
}

/** The stack with the causes below it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? text : `${text}\ncaused by: ${describe(error.cause)}`;
}

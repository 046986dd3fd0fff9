/** What a suite tells the runner while it runs: one JSON value a line, so that a crash leaves what was seen before it. */
export type TestEvent =
  | { readonly event: 'start'; readonly total: number }
  | { readonly event: 'pass'; readonly title: string; readonly milliseconds: number }
  | { readonly event: 'fail'; readonly title: string; readonly error: string }
  | { readonly event: 'pending'; readonly title: string }
  | { readonly event: 'end' };

/** Environment variable that names the file the events go to. */
export const REPORT = 'SHEATH_TEST_REPORT';

/** Reads the lines of a report; the last one may have been cut by a crash, and is then left out. */
export function readEvents(text: string): TestEvent[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as TestEvent);
}

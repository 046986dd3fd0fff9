import type { Change, DataplaneError } from '../../tunnels/dataplane.ts';
import type { AnnotationsOutcome } from '../sources/annotations.ts';
import { formatChanges } from './plan.ts';
import { printable } from './table.ts';
import { wrap } from './text.ts';
import type { View } from './view.ts';

export interface Cleanup {
  readonly changes: readonly Change[];
  readonly errors: readonly Pick<DataplaneError, 'part' | 'code' | 'message'>[];
  readonly annotations: AnnotationsOutcome;
}

/** What was taken back, what could not be, and what is left to do. Pure. */
export function formatCleanup({ changes, errors, annotations }: Cleanup, view: View): string {
  const heading = changes.length === 0 ? 'Nothing of ours was left in the kernel.' : 'Taken back:';
  const failed = errors.map(
    ({ code, message }) =>
      `  ${view.paint('bad', '!')} ${wrap(printable(`${message} (${code})`), { width: view.width, first: 4, rest: 4 })}\n`,
  );
  return `${heading}\n${formatChanges(changes, view)}${failed.join('')}${annotationLine(annotations, view)}`;
}

function annotationLine(outcome: AnnotationsOutcome, view: View): string {
  switch (outcome.state) {
    case 'removed':
      return 'The annotations of the Node are removed.\n';
    case 'no such Node':
      return 'There is no such Node, so there are no annotations.\n';
    case 'left': {
      const why = `The annotations of the Node may still be there: ${printable(outcome.reason)}. Take them off with`;
      return `${wrap(why, { width: view.width, first: 0, rest: 0 })}\n\n  ${printable(outcome.command)}\n`;
    }
  }
}

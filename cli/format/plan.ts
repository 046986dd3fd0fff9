/** `sheath plan` in words: what would change, a line each, as a person compares states. Pure. */
import type { PlanAnswer } from '../../operator/status.ts';
import type { Change } from '../../tunnels/dataplane.ts';
import type { Tone } from '../context.ts';
import { printable, widest } from './table.ts';
import { wrap } from './text.ts';
import { count } from './values.ts';
import type { View } from './view.ts';

const SIGNS = {
  add: { sign: '+', tone: 'good' },
  change: { sign: '~', tone: 'warn' },
  remove: { sign: '-', tone: 'bad' },
} as const satisfies Record<Change['action'], { sign: string; tone: Tone }>;

interface Line {
  readonly action: Change['action'];
  readonly part: string;
  readonly what: string;
}

export function formatPlan(plan: PlanAnswer, view: View): string {
  const lines = [...plan.changes, ...annotationLines(plan.annotations)];
  const refused = plan.refused.map(
    (refusal) =>
      `  ! ${wrap(printable(`${refusal.node}: ${refusal.message} (${refusal.code})`), { width: view.width, first: 4, rest: 4 })}`,
  );
  const heading =
    lines.length === 0
      ? `${plan.node}: nothing to change, encryption is ${plan.encryption}`
      : headline(plan, lines);
  return `${[heading, ...formatLines(lines, view), ...refused].join('\n')}\n`;
}

/** `+ route  10.244.2.0/24 dev sheath1 table 51830`, the parts in one column. */
export function formatChanges(changes: readonly Change[], view: View): string {
  return formatLines(changes, view)
    .map((line) => `${line}\n`)
    .join('');
}

function headline(plan: PlanAnswer, lines: readonly Line[]): string {
  const number = (action: Change['action']) => lines.filter((line) => line.action === action).length;
  return (
    `${plan.node}: ${count(lines.length, 'change')}, encryption is ${plan.encryption} ` +
    `(${number('add')} to add, ${number('change')} to change, ${number('remove')} to remove)`
  );
}

function formatLines(lines: readonly Line[], view: View): readonly string[] {
  const width = widest(lines.map((line) => line.part));
  return lines.map(({ action, part, what }) => {
    const { sign, tone } = SIGNS[action];
    const start = `  ${sign} ${part.padEnd(width)}  `;
    const text = wrap(printable(what), { width: view.width, first: start.length, rest: start.length });
    return view.paint(tone, start) + text;
  });
}

function annotationLines(annotations: PlanAnswer['annotations']): readonly Line[] {
  return Object.entries(annotations).map(([name, value]) =>
    value === null
      ? { action: 'remove', part: 'annotation', what: name }
      : { action: 'change', part: 'annotation', what: `${name} = ${value}` },
  );
}

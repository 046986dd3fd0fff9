/** What the schema refuses, in words for whoever wrote it: what is expected, and what stands there. */
import type * as z from 'zod';
import { getAt } from './paths.ts';

type Issue = z.core.$ZodIssue;

/** `expected a number from 1 to 65534, got "many"`. `spec` is what was parsed. */
export function describeIssue(issue: Issue, spec: unknown): string {
  const expected = expectedBy(issue);
  const value = getAt(spec, issue.path.map(String));
  // What is absent cannot be shown, and a whole group is too much to repeat.
  const isShort = value !== undefined && (typeof value !== 'object' || value === null);
  const wantsValue = expected.startsWith('expected ') && !expected.includes(', got ');
  return isShort && wantsValue ? `${expected}, got ${quoted(value)}` : expected;
}

/** Messages of the library; what the schema says itself stands as it is. */
const LIBRARY = /^(?:Invalid|Too) /;

function expectedBy(issue: Issue): string {
  if (!LIBRARY.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_value':
      return `expected ${oneOf(issue.values.map(String))}`;
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return isNumber(issue.origin)
        ? `expected ${issue.minimum} or more`
        : issue.origin === 'string'
          ? 'expected some text'
          : issue.message;
    case 'too_big':
      return isNumber(issue.origin) ? `expected ${issue.maximum} or less` : issue.message;
    default:
      return issue.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'text',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function isNumber(origin: string): boolean {
  return origin === 'number' || origin === 'int';
}

/** `a`, `a or b`, `a, b or c`. */
function oneOf(values: readonly string[]): string {
  const last = values.at(-1) ?? '';
  return values.length < 2 ? last : `${values.slice(0, -1).join(', ')} or ${last}`;
}

const SHOWN = 80;

function quoted(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** Pieces of CEL (Common Expression Language, as the API server reads it) that the policies share. */
import type { V1Validation, V1Variable } from '@kubernetes/client-node';

/** A text as CEL writes it; raw where it holds a backslash, so that a regular expression stays as it is. */
export function text(value: string): string {
  if (value.includes("'")) throw new Error(`CEL: no apostrophe fits into '...': ${value}`);
  return `${value.includes('\\') ? 'r' : ''}'${value}'`;
}

export function list(values: readonly string[]): string {
  return `[${values.map(text).join(', ')}]`;
}

/** One line, however it is laid out in the source. */
export function expression(lines: string): string {
  return lines.replace(/\s*\n\s*/g, ' ').trim();
}

export function variable(name: string, yields: string): V1Variable {
  return { name, expression: expression(yields) };
}

export interface Rule {
  readonly holds: string;
  /** A sentence for whoever is refused: what, and the way out. */
  readonly message: string;
  /** CEL that yields the sentence, where it can name what is wrong. */
  readonly says?: string;
  readonly reason?: 'Forbidden' | 'Invalid';
}

export function validation({ holds, message, says, reason = 'Forbidden' }: Rule): V1Validation {
  return {
    expression: expression(holds),
    message,
    ...(says === undefined ? {} : { messageExpression: expression(says) }),
    reason,
  };
}

/**
 * Fields of an object that differ, but for some: a list of their names. Every object is a map when a policy runs; `dyn(...)` says so to
 * whoever checks the types of a policy by the schema of its objects.
 */
export function changed(now: string, before: string, but: readonly string[] = []): string {
  const except = but.length === 0 ? '' : `!(k in ${list(but)}) && `;
  return `${now}.filter(k, ${except}!(k in ${before} && ${now}[k] == ${before}[k])) + ${before}.filter(k, ${except}!(k in ${now}))`;
}

/** Sentences about somebody else's text: shortened, and with nothing in them that a terminal or a log would act on. */
import type { Problem, ProblemCode } from './types.ts';

const SHOWN = 60;
/** No more than these of one annotation: the first few tell the story. */
const MAX_PROBLEMS = 8;

/** The text in double quotes, at most 60 characters of it, everything but printable ASCII escaped. */
export function quote(text: string): string {
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  const escaped = shown.replace(/["\\]/g, '\\$&').replace(/[^\x20-\x7e…]/g, escapeUnit);
  return `"${escaped}"`;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Collects the problems of one annotation. */
export class ProblemList {
  readonly #annotation: string;
  readonly #problems: Problem[] = [];
  #more = 0;

  constructor(annotation: string) {
    this.#annotation = annotation;
  }

  add(code: ProblemCode, message: string): void {
    if (this.#problems.length >= MAX_PROBLEMS) this.#more += 1;
    else this.#problems.push({ code, message: `${this.#annotation}: ${message}` });
  }

  list(): readonly Problem[] {
    const last = this.#problems.at(-1);
    if (this.#more === 0 || last === undefined) return this.#problems;
    const more = { code: last.code, message: `${this.#annotation}: and ${this.#more} more like these` };
    return [...this.#problems, more];
  }
}

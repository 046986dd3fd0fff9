import type { ProblemCode, Refusal } from '../../mesh/types.ts';

/** What a Node has not said yet is no claim that somebody refuses: its line among the peers tells of it. */
const ABSENCES: readonly ProblemCode[] = ['NO_COMMON_GENERATION', 'NO_COMMON_FAMILY', 'ENDPOINT_MISSING'];

export function isClaim({ code }: Refusal): boolean {
  return !ABSENCES.includes(code);
}

export function refusalText({ message, inFavourOf, code }: Refusal): string {
  return `refused: ${message}${inFavourOf === undefined ? '' : `; ${inFavourOf} keeps it`} (${code})`;
}

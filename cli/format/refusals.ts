import type { ProblemCode, Refusal } from '../../mesh/types.ts';

/**
 * What a Node has not said yet, or offers besides in the words of a newer version, is no claim that somebody refuses: where it costs
 * the tunnel, its line among the peers tells of it.
 */
const ABSENCES: readonly ProblemCode[] = [
  'NO_COMMON_GENERATION',
  'NO_COMMON_FAMILY',
  'ENDPOINT_MISSING',
  'DRIVER_UNKNOWN',
];

export function isClaim({ code }: Refusal): boolean {
  return !ABSENCES.includes(code);
}

/** The claims of one Node among what is refused, as a part of its row. */
export function refusedClaims(
  node: string,
  refused: readonly Refusal[],
): { readonly refused?: readonly Refusal[] } {
  const claims = refused.filter((refusal) => refusal.node === node && isClaim(refusal));
  return claims.length === 0 ? {} : { refused: claims };
}

export function refusalText(refusal: Refusal): string {
  return `refused: ${refusedOf(refusal)}`;
}

/** What is refused, without the word. */
export function refusedOf({ message, inFavourOf, code }: Refusal): string {
  return `${message}${inFavourOf === undefined ? '' : `; ${inFavourOf} keeps it`} (${code})`;
}

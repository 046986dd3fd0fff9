/** Which of two ranges holds the other, and which comes first. */
import type { Range } from './scan.ts';

/** Whether every address of `inner` is one of `outer`; a range contains itself. */
export function contains(outer: Range, inner: Range): boolean {
  const { family, length } = outer;
  if (family !== inner.family || length > inner.length) return false;
  return (
    (head(outer.a ^ inner.a, length) |
      head(outer.b ^ inner.b, length - 32) |
      head(outer.c ^ inner.c, length - 64) |
      head(outer.d ^ inner.d, length - 96)) ===
    0
  );
}

/** Ranges nest or are apart. */
export function overlaps(a: Range, b: Range): boolean {
  return a.length <= b.length ? contains(a, b) : contains(b, a);
}

/** IPv4 first, then by the first address, the wider before what it holds. */
export function compareRanges(x: Range, y: Range): number {
  if (x.family !== y.family) return x.family - y.family;
  if (x.a !== y.a) return x.a >>> 0 < y.a >>> 0 ? -1 : 1;
  if (x.b !== y.b) return x.b >>> 0 < y.b >>> 0 ? -1 : 1;
  if (x.c !== y.c) return x.c >>> 0 < y.c >>> 0 ? -1 : 1;
  if (x.d !== y.d) return x.d >>> 0 < y.d >>> 0 ? -1 : 1;
  return x.length - y.length;
}

/** The range of the same length that begins where it may: with all bits after `length` zero. */
export function aligned({ family, length, a, b, c, d }: Range): Range {
  return {
    family,
    length,
    a: head(a, length),
    b: head(b, length - 32),
    c: head(c, length - 64),
    d: head(d, length - 96),
  };
}

/** No bit is set after the first `length`. */
export function isAligned({ length, a, b, c, d }: Range): boolean {
  return (
    head(a, length) === a &&
    head(b, length - 32) === b &&
    head(c, length - 64) === c &&
    head(d, length - 96) === d
  );
}

/** The first `bits` of a word of 32, all of it where there are more. */
function head(word: number, bits: number): number {
  if (bits >= 32) return word;
  return bits <= 0 ? 0 : word & (-1 << (32 - bits));
}

/** Values that are written as text: durations (`180s`, `1h30m`), prefixes, and a mark with its mask. */
import * as z from 'zod';
import { parsePrefix } from '../../mesh/prefix.ts';

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's notation without a sign: `90s`, `1h30m`, `500ms`; `0` alone is 0. Milliseconds, undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!DURATION.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    sum += Number(amount) * (UNITS[unit ?? ''] ?? Number.NaN);
  }
  return Number.isFinite(sum) ? sum : undefined;
}

export function durationSchema(range: { readonly minimum: string; readonly maximum?: string }) {
  const minimum = parseDuration(range.minimum) ?? 0;
  const maximum = range.maximum === undefined ? Number.MAX_SAFE_INTEGER : (parseDuration(range.maximum) ?? 0);
  const expected =
    range.maximum === undefined ? `${range.minimum} or more` : `${range.minimum} to ${range.maximum}`;
  return z.string({ error: `expected a duration like 180s or 1h30m, ${expected}` }).refine(
    (text) => {
      const value = parseDuration(text);
      return value !== undefined && value >= minimum && value <= maximum;
    },
    { error: `expected a duration like 180s or 1h30m, ${expected}` },
  );
}

export const prefixSchema = z.string().refine((text) => parsePrefix(text) !== undefined, {
  error: (issue) =>
    `expected a prefix like 10.244.0.0/16 or fd00:10:244::/48 with no host bits set, got ${String(issue.input)}`,
});

const FWMARK = /^(0x[0-9a-f]{1,8}|\d{1,10})\/(0x[0-9a-f]{1,8}|\d{1,10})$/i;

/** `0x1000/0x1000`: a mark that is not zero and lies inside its mask. */
export function parseFwmark(text: string): { readonly mark: number; readonly mask: number } | undefined {
  const match = FWMARK.exec(text);
  if (match === null) return undefined;
  const [mark, mask] = [Number(match[1]), Number(match[2])];
  if (mark === 0 || mark > 0xffff_ffff || mask > 0xffff_ffff) return undefined;
  return (BigInt(mark) & ~BigInt(mask)) === 0n ? { mark, mask } : undefined;
}

export const fwmarkSchema = z.string().refine((text) => parseFwmark(text) !== undefined, {
  error: 'expected MARK/MASK with the mark inside the mask and not zero, like 0x1000/0x1000',
});

/** Values that are written as text: durations (`180s`, `1h30m`), prefixes, and a mark with its mask. Each with its rule for the API server. */
import * as z from 'zod';
import { parsePrefix } from '../../mesh/prefix.ts';
import { celText, rules } from './rules.ts';

/** Both sides read it: no backslash, no lookahead. Digits enough for every sensible value, and too few to overflow Go's int64. */
const DURATION = '^(0|([0-9]{1,6}([.][0-9]{1,9})?(ms|s|m|h))+)$';
const DURATION_SIZE = 32;
/** In nanoseconds. */
const UNITS: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's notation without a sign: `90s`, `1h30m`, `500ms`; `0` alone is 0. Milliseconds, undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text.length > DURATION_SIZE || !new RegExp(DURATION).test(text)) return undefined;
  let sum = 0;
  for (const [, whole = '0', fraction = '', unit = ''] of text.matchAll(/(\d+)(?:\.(\d+))?([a-z]+)/g)) {
    const nanoseconds = UNITS[unit] ?? Number.NaN;
    // As Go rounds (time.ParseDuration), so that both sides agree on what is just long enough.
    sum += Number(whole) * nanoseconds + Math.trunc(Number(fraction) * (nanoseconds / 10 ** fraction.length));
  }
  return sum / 1e6;
}

export interface DurationRange {
  readonly minimum: string;
  readonly maximum: string;
}

export function durationSchema({ minimum, maximum }: DurationRange) {
  const least = parseDuration(minimum) ?? 0;
  const most = parseDuration(maximum) ?? 0;
  const message = `expected a duration like 180s or 1h30m, from ${minimum} to ${maximum}`;
  return z
    .string({ error: message })
    .max(DURATION_SIZE, { error: message })
    .refine(
      (text) => {
        const value = parseDuration(text);
        return value !== undefined && value >= least && value <= most;
      },
      { error: message },
    )
    .meta(
      rules({
        rule: `self.matches(${celText(DURATION)}) && duration(self) >= duration(${celText(minimum)}) && duration(self) <= duration(${celText(maximum)})`,
        message,
      }),
    );
}

/** The longest text of an IPv6 prefix, one that ends in an IPv4 address. */
const PREFIX_SIZE = 49;
const PREFIX = 'expected a prefix like 10.244.0.0/16 or fd00:10:244::/48 with no host bits set';

export const prefixSchema = z
  .string({ error: PREFIX })
  .max(PREFIX_SIZE, { error: PREFIX })
  .refine((text) => parsePrefix(text) !== undefined, { error: PREFIX })
  .meta(rules({ rule: 'isCIDR(self) && cidr(self).masked() == cidr(self)', message: PREFIX }));

const FWMARK = '^(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})/(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$';
const FWMARK_SIZE = 21;
const MARK_AND_MASK = 'expected MARK/MASK with the mark inside the mask and not zero, like 0x1000/0x1000';

/** `0x1000/0x1000`: a mark that is not zero and lies inside its mask. */
export function parseFwmark(text: string): { readonly mark: number; readonly mask: number } | undefined {
  if (!new RegExp(FWMARK).test(text)) return undefined;
  const [mark = 0, mask = 0] = text.split('/').map(Number);
  if (mark === 0 || mark > 0xffff_ffff || mask > 0xffff_ffff) return undefined;
  return (BigInt(mark) & ~BigInt(mask)) === 0n ? { mark, mask } : undefined;
}

export const fwmarkSchema = z
  .string({ error: MARK_AND_MASK })
  .max(FWMARK_SIZE, { error: MARK_AND_MASK })
  .refine((text) => parseFwmark(text) !== undefined, { error: MARK_AND_MASK })
  .meta(rules({ rule: fwmarkRule(), message: MARK_AND_MASK }));

/** CEL reads no hexadecimal and knows no bits: digits by their place in the alphabet, bits by division. */
function fwmarkRule(): string {
  const digit = (at: number) => `'0123456789abcdef'.indexOf(h.charAt(${at})) * ${16 ** (7 - at)}`;
  const hexadecimal = Array.from({ length: 8 }, (_, at) => digit(at)).join(' + ');
  const padded = `[('0000000' + t.substring(2)).substring(size(t) - 3)]`;
  const number = `(t.startsWith('0x') ? ${padded}.map(h, ${hexadecimal})[0] : int(t))`;
  const bits = Array.from({ length: 32 }, (_, at) => 2 ** at).join(', ');
  const fits = `n[0] > 0 && n[0] <= 4294967295 && n[1] <= 4294967295 && [${bits}].all(b, n[0] / b % 2 <= n[1] / b % 2)`;
  return `self.matches(${celText(FWMARK)}) && [self.lowerAscii().split('/').map(t, ${number})].all(n, ${fits})`;
}

/** sockaddr_un's `sun_path`, with the zero that ends it (unix(7)). */
const SOCKET_SIZE = 107;
const SOCKET = 'expected the absolute path of a socket, like /run/charon.vici';

export const socketSchema = z
  .string({ error: SOCKET })
  .max(SOCKET_SIZE, { error: SOCKET })
  .regex(/^(\/[A-Za-z0-9_.@+-]+)+$/, { error: SOCKET });

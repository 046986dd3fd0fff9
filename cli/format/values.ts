/** How numbers are written for a reader. All pure. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Units and the span, in milliseconds, up to which each is shown with the next smaller one. */
const UNITS = [
  { suffix: 'd', size: DAY, smaller: 'h', smallerSize: HOUR, both: 10 * DAY },
  { suffix: 'h', size: HOUR, smaller: 'm', smallerSize: MINUTE, both: 10 * HOUR },
  { suffix: 'm', size: MINUTE, smaller: 's', smallerSize: SECOND, both: 10 * MINUTE },
] as const;

/** A span of milliseconds in at most five characters' worth: `14s`, `3m12s`, `47m`, `5h10m`, `3d4h`, `212d`. */
export function formatSpan(milliseconds: number): string {
  const span = Math.max(0, milliseconds);
  for (const { suffix, size, smaller, smallerSize, both } of UNITS) {
    if (span < size) continue;
    const whole = Math.floor(span / size);
    const rest = Math.floor((span % size) / smallerSize);
    return span < both && rest > 0 ? `${whole}${suffix}${rest}${smaller}` : `${whole}${suffix}`;
  }
  return `${Math.floor(span / SECOND)}s`;
}

/** How long ago a moment was; `-` when there was none. Both in milliseconds since the epoch. */
export function formatAge(moment: number | undefined, now: number): string {
  return moment === undefined || moment === 0 ? '-' : formatSpan(now - moment);
}

/** How long until a moment, `due` when it has come; `-` when there is none. */
export function formatUntil(moment: number | undefined, now: number): string {
  if (moment === undefined) return '-';
  return moment <= now ? 'due' : formatSpan(moment - now);
}

const BYTE_UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'] as const;

/** Bytes with three significant digits and a binary unit: `0`, `148`, `1.21Ki`, `64.0Mi`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be printed as 1000: three digits hold up to there.
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${Math.round(value)}` : `${value.toPrecision(3)}${BYTE_UNITS[unit]}`;
}

/** `1 peer`, `3 peers`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** The annotations with structure: `sheath.dev/generations`, `sheath.dev/sending` and `sheath.dev/agent`. */
import { isLowOrder, type PublicKey, parsePublicKey } from 'wireguard-tools-wrapper/keys';
import { flawOf } from '../keys/ed25519-flaws.ts';
import type { Generation } from '../keys/generation.ts';
import { ANNOTATIONS, LIMITS, MAX_GENERATION } from './annotations.ts';
import { sorted } from './lists.ts';
import { type ProblemList, quote } from './problems.ts';
import type { AgentFacts } from './types.ts';

/** The fields that this version knows; all others are tolerated. */
type Field =
  | 'generation'
  | 'driver'
  | 'publicKey'
  | 'port'
  | 'version'
  | 'observedGeneration'
  | 'mode'
  | 'takesPart'
  | 'cannot';
type Fields = { readonly [name in Field]?: unknown };

/** Oldest first. Of a number that is listed twice neither stays: which one is meant, only the node knows. */
export function parseGenerations(text: string, problems: ProblemList): readonly Generation[] {
  const items = parseJson(text, problems);
  if (items === undefined) return [];
  if (!Array.isArray(items) || items.length > LIMITS[ANNOTATIONS.generations].items) {
    const what = Array.isArray(items) ? `lists ${items.length} generations` : 'is no JSON array';
    problems.add('RECORD_MALFORMED', `${what}, expected an array of at most 8; ${ANEW}`);
    return [];
  }
  const byNumber = new Map<number, Generation | undefined>();
  for (const item of items) {
    const generation = parseGeneration(item, problems);
    if (generation === undefined) continue;
    const { number } = generation;
    if (byNumber.has(number)) problems.add('RECORD_MALFORMED', `lists generation ${number} twice; ${ANEW}`);
    byNumber.set(number, byNumber.has(number) ? undefined : generation);
  }
  const good = [...byNumber.values()].filter((found) => found !== undefined);
  return sorted(good, (a, b) => a.number - b.number);
}

const ANEW = 'remove the annotation, and the agent of that node writes it anew';

function parseGeneration(item: unknown, problems: ProblemList): Generation | undefined {
  const fields = asFields(item);
  const number = fields?.generation;
  if (fields === undefined || !isWhole(number, 1, MAX_GENERATION)) {
    const shown = quote(String(JSON.stringify(fields === undefined ? item : number)));
    problems.add(
      'RECORD_MALFORMED',
      `expected {"generation": 1 to ${MAX_GENERATION}, ...}, got ${shown}; ${ANEW}`,
    );
    return undefined;
  }
  const { driver, port } = fields;
  if (driver !== 'wireguard' && driver !== 'ipsec') {
    const shown = quote(typeof driver === 'string' ? driver : String(JSON.stringify(driver)));
    problems.add(
      'DRIVER_UNKNOWN',
      `generation ${number} has driver ${shown}, which this version does not know`,
    );
    return undefined;
  }
  const publicKey = parseKey(fields.publicKey, { number, driver }, problems);
  if (publicKey === undefined) return undefined;
  if (driver === 'ipsec') return { number, driver, publicKey };
  if (isWhole(port, 1, 65_535)) return { number, driver, publicKey, port };
  const shown = quote(String(JSON.stringify(port)));
  problems.add('RECORD_MALFORMED', `generation ${number} has port ${shown}, expected 1 to 65535; ${ANEW}`);
  return undefined;
}

/**
 * A key of low order makes every shared secret zero: whoever listens could read along (RFC 7748 section 6.1). With Ed25519, whoever
 * likes could sign for it.
 */
function parseKey(
  text: unknown,
  { number, driver }: Pick<Generation, 'number' | 'driver'>,
  problems: ProblemList,
): PublicKey | undefined {
  try {
    const key = parsePublicKey(typeof text === 'string' ? text : '');
    const flaw = driver === 'ipsec' ? flawOf(key) : isLowOrder(key) ? 'of low order' : undefined;
    if (flaw === undefined) return key;
    problems.add('KEY_INVALID', `generation ${number} has key ${quote(key)}, ${flaw}: nobody's; ${ANEW}`);
  } catch {
    const shown = quote(typeof text === 'string' ? text : String(JSON.stringify(text)));
    problems.add(
      'KEY_INVALID',
      `generation ${number} has key ${shown}, expected base64 of 32 bytes; ${ANEW}`,
    );
  }
  return undefined;
}

export function formatGenerations(generations: readonly Generation[]): string {
  const sorted = [...generations].sort((a, b) => a.number - b.number);
  return JSON.stringify(
    sorted.map(({ number, driver, publicKey, ...rest }) => ({
      generation: number,
      driver,
      publicKey,
      ...rest,
    })),
  );
}

/** `6,7`; `0` is "in clear". Sorted. */
export function parseSending(text: string, problems: ProblemList): readonly number[] {
  const limit = LIMITS[ANNOTATIONS.sending].items;
  const items = text.trim() === '' ? [] : text.split(',').map((item) => item.trim());
  const numbers = items.filter((item) => /^(?:0|[1-9]\d{0,9})$/.test(item)).map(Number);
  const good = numbers.filter((number) => number <= MAX_GENERATION);
  if (good.length === items.length && items.length <= limit) return [...new Set(good)].sort((a, b) => a - b);
  problems.add(
    'RECORD_MALFORMED',
    `${quote(text)} is no list of at most ${limit} generations like 6,7; ${ANEW}`,
  );
  return [];
}

export function parseAgent(text: string, problems: ProblemList): AgentFacts | undefined {
  const value = parseJson(text, problems);
  if (value === undefined) return undefined;
  const fields = asFields(value);
  const version = fields?.version;
  if (fields === undefined || typeof version !== 'string') {
    problems.add('RECORD_MALFORMED', `names no version; ${ANEW}`);
    return undefined;
  }
  const { observedGeneration, mode, takesPart, cannot } = fields;
  return {
    version: plain(version),
    ...(isWhole(observedGeneration, 0, Number.MAX_SAFE_INTEGER) ? { observedGeneration } : {}),
    ...(mode === 'permissive' || mode === 'strict' ? { mode } : {}),
    ...(takesPart === false ? { takesPart } : {}),
    cannot: Array.isArray(cannot) ? cannot.filter(isText).slice(0, 16).map(plain) : [],
  };
}

export function formatAgent({ version, observedGeneration, mode, takesPart, cannot }: AgentFacts): string {
  return JSON.stringify({ version, observedGeneration, mode, takesPart, cannot: [...cannot].sort() });
}

/** At most 256 printable characters: it is shown as it stands. */
function plain(text: string): string {
  return text.slice(0, 256).replace(/[^\x20-\x7e]/g, '?');
}

function parseJson(text: string, problems: ProblemList): unknown {
  try {
    return JSON.parse(text);
  } catch {
    problems.add('RECORD_MALFORMED', `${quote(text)} is no JSON; ${ANEW}`);
    return undefined;
  }
}

/** As `JSON.parse` made it: a `__proto__` in the text is one more unknown field of its own. */
function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to;
}

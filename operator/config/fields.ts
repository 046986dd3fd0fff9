/** The fields of the spec as flags and variables: `wireguard.port` is `--wireguard-port` and `SHEATH_WIREGUARD_PORT`. */
import * as z from 'zod';
import { specSchema } from './schema.ts';

export interface Field {
  /** `wireguard.port`. */
  readonly path: string;
  /** `--wireguard-port`. */
  readonly flag: string;
  /** As commander calls the option: `wireguardPort`. */
  readonly option: string;
  /** `SHEATH_WIREGUARD_PORT`. */
  readonly variable: string;
  /** What follows the flag in help: `<none|wireguard|ipsec>`, `<number>`, `<prefix,...>`. */
  readonly argument: string;
  readonly description: string;
  /** The value as it would stand in a file. What cannot be read stays text, and the schema says what it expects. */
  readonly fromText: (text: string) => unknown;
}

/** Every leaf of the spec, in the order of the schema. */
export const FIELDS: readonly Field[] = leaves(specSchema, []);

function leaves(schema: z.ZodObject, above: readonly string[]): Field[] {
  return Object.entries(schema.shape).flatMap(([key, value]) => {
    const path = [...above, key];
    const inner = bare(value);
    const isGroup = inner instanceof z.ZodObject && key !== 'nodeSelector';
    return isGroup ? leaves(inner, path) : [field(path, inner, descriptionOf(value))];
  });
}

function field(path: readonly string[], schema: unknown, description: string): Field {
  const words = path
    .join('-')
    .replace(/[A-Z]+(?![a-z])|[A-Z]/g, (letters) => `-${letters}`)
    .toLowerCase();
  const option = words.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const variable = `SHEATH_${words.replaceAll('-', '_').toUpperCase()}`;
  return { path: path.join('.'), flag: `--${words}`, option, variable, description, ...textOf(schema) };
}

function textOf(schema: unknown): Pick<Field, 'argument' | 'fromText'> {
  if (schema instanceof z.ZodEnum)
    return { argument: `<${schema.options.join('|')}>`, fromText: (text) => text };
  if (schema instanceof z.ZodArray) return { argument: '<value,...>', fromText: list };
  if (schema instanceof z.ZodObject) return { argument: '<label=value,...>', fromText: selector };
  if (schema instanceof z.ZodUnion) return { argument: '<auto|number>', fromText: numberOrText };
  if (schema instanceof z.ZodNumber) return { argument: '<number>', fromText: numberOrText };
  return { argument: '<value>', fromText: (text) => text };
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** `pool=blue,tier=web`: the equality form of kubectl's selectors. */
function selector(text: string): unknown {
  const pairs = list(text).map((item) => item.split('='));
  if (pairs.some((pair) => pair.length !== 2)) return text;
  return pairs.length === 0 ? {} : { matchLabels: Object.fromEntries(pairs) };
}

function numberOrText(text: string): unknown {
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

function bare(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema;
}

function descriptionOf(schema: unknown): string {
  return schema instanceof z.ZodType ? (schema.description ?? '') : '';
}

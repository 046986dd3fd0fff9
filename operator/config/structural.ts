/**
 * From a zod schema to a structural OpenAPI v3 schema, as a CRD wants it (Kubernetes, "Specifying a structural schema"): types at every
 * node, no `$ref`, no `default`, no `additionalProperties: false`. A keyword that it does not know is an error: no constraint gets lost.
 */
import * as z from 'zod';
import type { Rule } from './rules.ts';

export interface StructuralSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly anyOf?: readonly { readonly type: 'integer' | 'string' }[];
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

type JsonSchema = Readonly<Record<string, unknown>>;

export interface StructuralOptions {
  /** The text of a field, from the schema's own; `wireguard.port`. */
  readonly describe?: (path: string, description: string) => string;
}

export function structural(schema: z.ZodType, options: StructuralOptions = {}): StructuralSchema {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', reused: 'inline' });
  return convert(json, [], options.describe ?? ((_, description) => description));
}

type Describe = NonNullable<StructuralOptions['describe']>;

/** Taken over as they are. */
const KEPT: readonly string[] = [
  'type',
  'required',
  'enum',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
];

function convert(json: JsonSchema, path: readonly string[], describe: Describe): StructuralSchema {
  const result: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(json)) {
    if (isNoise(json, keyword, value)) continue;
    if (KEPT.includes(keyword)) result[keyword] = value;
    else if (keyword === 'description') result.description = describe(path.join('.'), String(value));
    else if (keyword === 'properties') result.properties = each(schemas(value), path, describe);
    else if (keyword === 'items') result.items = convert(schemaOf(value), [...path, '*'], describe);
    else if (keyword === 'anyOf') Object.assign(result, intOrString(value));
    else if (keyword === 'additionalProperties') {
      // What is not named is pruned by the API server, and refused by clients that ask for strictness, kubectl first of all.
      if (value !== false) result.additionalProperties = convert(schemaOf(value), [...path, '*'], describe);
    } else throw new Error(`${path.join('.')}: ${keyword} has no place in a structural schema`);
  }
  return result;
}

/** What zod says of every whole number, and of every time beside its format. */
function isNoise(json: JsonSchema, keyword: string, value: unknown): boolean {
  if (keyword === 'pattern') return json.format === 'date-time';
  return (
    (keyword === 'minimum' || keyword === 'maximum') && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER
  );
}

function each(
  properties: Readonly<Record<string, JsonSchema>>,
  path: readonly string[],
  describe: Describe,
): Record<string, StructuralSchema> {
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [key, convert(value, [...path, key], describe)]),
  );
}

/** One word or a whole number: the number's range and the word's pattern stand side by side, for each looks at its own type only. */
function intOrString(value: unknown): StructuralSchema {
  const alternatives: unknown[] = Array.isArray(value) ? value : [];
  const [word, number] = alternatives.map(schemaOf);
  const words = word?.enum;
  if (alternatives.length !== 2 || !Array.isArray(words) || number?.type !== 'integer')
    throw new Error('of alternatives only a word and a whole number have a place in a structural schema');
  return {
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    minimum: Number(number.minimum),
    maximum: Number(number.maximum),
    pattern: `^(${words.join('|')})$`,
  };
}

function schemas(value: unknown): Readonly<Record<string, JsonSchema>> {
  return schemaOf(value) as Readonly<Record<string, JsonSchema>>;
}

function schemaOf(value: unknown): JsonSchema {
  if (typeof value !== 'object' || value === null) throw new Error('expected a schema');
  return value as JsonSchema;
}

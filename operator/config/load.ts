/**
 * The layers a person speaks through, best first: flags, environment, file (the resource comes between file and default).
 * Each holds a checked, partial spec and says where every value of it stands.
 */
import { OperatorError } from '../errors.ts';
import { FIELDS, type Field } from './fields.ts';
import { describeIssue } from './issues.ts';
import { putAt } from './paths.ts';
import { type Source, type Spec, specSchema } from './schema.ts';

export interface Layer {
  readonly source: Source;
  readonly spec: Spec;
  /** Names the place of a value, by its path: `--wireguard-port`, `SHEATH_MTU`, `/etc/sheath.yaml:7`. */
  readonly nameOf: (path: string) => string;
}

export interface Spoken {
  /** Options as commander gives them, by `Field.option`: `{wireguardPort: '51830'}`. Others are ignored. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path given with `--config`. */
  readonly file?: string;
}

/** @throws OperatorError `CONFIG_UNREADABLE`, `CONFIG_INVALID`; the message has a line for each thing that is wrong. */
export async function loadLayers(spoken: Spoken): Promise<readonly Layer[]> {
  const layers = [
    textLayer(
      'flag',
      (field) => spoken.flags[field.option],
      (field) => field.flag,
    ),
    textLayer(
      'environment',
      (field) => spoken.environment[field.variable],
      (field) => field.variable,
    ),
  ];
  if (spoken.file === undefined) return layers;
  // Loaded when asked for: the parser costs memory that an agent without a file need not pay.
  const { loadFile } = await import('./file.ts');
  return [...layers, await loadFile(spoken.file)];
}

function textLayer(source: Source, read: (field: Field) => unknown, name: (field: Field) => string): Layer {
  const spec: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const text = read(field);
    if (typeof text === 'string' && text !== '') putAt(spec, field.path.split('.'), field.fromText(text));
  }
  const nameOf = (path: string) => {
    const field = FIELDS.find((each) => path === each.path || path.startsWith(`${each.path}.`));
    return field === undefined ? path : name(field);
  };
  const parsed = specSchema.safeParse(spec);
  if (parsed.success) return { source, spec: parsed.data, nameOf };
  const lines = parsed.error.issues.map(
    (issue) => `${nameOf(issue.path.join('.'))}: ${describeIssue(issue, spec)}`,
  );
  throw new OperatorError('CONFIG_INVALID', lines.join('\n'));
}

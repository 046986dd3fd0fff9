/** `--config`: a spec, or a whole EncryptionMesh, in YAML. Errors name the file and the line. */
import { readFile } from 'node:fs/promises';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { OperatorError } from '../errors.ts';
import { describeIssue } from './issues.ts';
import type { Layer } from './load.ts';
import { specSchema } from './schema.ts';

/** @throws OperatorError `CONFIG_UNREADABLE`, `CONFIG_INVALID` */
export async function loadFile(path: string): Promise<Layer> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new OperatorError(
      'CONFIG_UNREADABLE',
      `cannot read the configuration ${path}: ${messageOf(cause)}`,
      { cause },
    );
  }
  return parseFile(path, text);
}

/** @throws OperatorError `CONFIG_INVALID` */
export function parseFile(path: string, text: string): Layer {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken !== undefined) throw invalid(`${path}:${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  const content: unknown = document.toJS() ?? {};
  const prefix = specPath(path, content);
  const place = (at: readonly PropertyKey[]) =>
    `${path}:${lineOf({ document, lines }, [...prefix, ...at.map(String)])}`;
  const written = prefix.length === 0 ? content : ((content as { spec?: unknown }).spec ?? {});
  const spec = specSchema.safeParse(written);
  if (!spec.success) {
    throw invalid(
      spec.error.issues
        .map((issue) => {
          const at = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
          const name = issue.path.join('.');
          return `${place(at)}: ${name === '' ? '' : `${name}: `}${describeIssue(issue, written)}`;
        })
        .join('\n'),
    );
  }
  return { source: 'file', spec: spec.data, nameOf: (field) => place(field.split('.')) };
}

/** Where the spec stands: at the top, or under `spec` of an EncryptionMesh. */
function specPath(path: string, content: unknown): readonly string[] {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid(
      `${path}:1: expected a mapping: the fields of an EncryptionMesh's spec, or the whole resource`,
    );
  }
  if (!('kind' in content) && !('apiVersion' in content)) return [];
  const { kind, apiVersion } = content as { kind?: unknown; apiVersion?: unknown };
  if (kind === 'EncryptionMesh' && apiVersion === 'sheath.dev/v1alpha1') return ['spec'];
  throw invalid(
    `${path}:1: expected sheath.dev/v1alpha1 EncryptionMesh, got ${String(apiVersion)} ${String(kind)}`,
  );
}

/** Line of the deepest node on the way to `at` that exists. */
function lineOf(source: { document: Document; lines: LineCounter }, at: readonly string[]): number {
  for (let depth = at.length; depth > 0; depth -= 1) {
    const key = at.slice(0, depth).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const node = source.document.getIn(key, true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
      return source.lines.linePos(Number(node.range[0])).line;
    }
  }
  return 1;
}

function invalid(message: string): OperatorError {
  return new OperatorError('CONFIG_INVALID', message);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

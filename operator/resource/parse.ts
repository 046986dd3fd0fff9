/** An `EncryptionMesh` as the API server or the disk holds it, to what the agent goes by. */
import { describeIssue } from '../config/issues.ts';
import type { Layer } from '../config/load.ts';
import { getAt } from '../config/paths.ts';
import { RESOURCE_NAME, wishOf } from '../config/resource.ts';
import { type Spec, specSchema } from '../config/schema.ts';
import { OperatorError } from '../errors.ts';

export interface Mesh {
  readonly uid: string;
  /** `metadata.generation`: which version of the spec this is. */
  readonly generation: number;
  /** What is wished: of one that is being deleted, that encryption goes. */
  readonly spec: Spec;
  /** Whether it is being deleted. */
  readonly deleting: boolean;
  /** Fields that this version does not know, by path: a newer one wrote them. They count for nothing here. */
  readonly unknown: readonly string[];
}

/** @throws OperatorError `CONFIG_INVALID`; the message has a line for each thing that is wrong, beginning with `spec.` and its path. */
export function parseMesh(object: unknown): Mesh {
  const { metadata, spec: written = {} } = asRecord(object);
  const { uid, generation, deletionTimestamp } = asRecord(metadata);
  const { spec, unknown } = withoutUnknown(written);
  const deleting = typeof deletionTimestamp === 'string' ? { deletionTimestamp } : {};
  return {
    uid: typeof uid === 'string' ? uid : '',
    generation: typeof generation === 'number' ? generation : 0,
    spec: wishOf({ metadata: { name: RESOURCE_NAME, ...deleting }, spec }),
    deleting: typeof deletionTimestamp === 'string',
    unknown,
  };
}

function withoutUnknown(written: unknown): Pick<Mesh, 'spec' | 'unknown'> {
  const spec: unknown = structuredClone(written);
  const unknown: string[] = [];
  const first = specSchema.safeParse(spec);
  for (const issue of first.error?.issues ?? []) {
    if (issue.code !== 'unrecognized_keys') continue;
    const path = issue.path.map(String);
    const holder = asRecord(getAt(spec, path));
    for (const key of issue.keys) {
      unknown.push([...path, key].join('.'));
      delete holder[key];
    }
  }
  const parsed = unknown.length === 0 ? first : specSchema.safeParse(spec);
  if (parsed.success) return { spec: parsed.data, unknown: unknown.sort() };
  const lines = parsed.error.issues.map(
    (issue) => `${['spec', ...issue.path].join('.')}: ${describeIssue(issue, spec)}`,
  );
  throw new OperatorError('CONFIG_INVALID', lines.join('\n'));
}

/** What the resource says, as a layer behind the file: `encryptionmesh/default, generation 7`. */
export function resourceLayer({ spec, generation }: Mesh): Layer {
  return {
    source: 'resource',
    spec,
    nameOf: () => `encryptionmesh/${RESOURCE_NAME}, generation ${generation}`,
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** Reading of manifests as a test needs it. */
import { sheath } from '../cli/run.ts';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** A value by its path; undefined where there is none. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (here, key) =>
      typeof here === 'object' && here !== null ? (here as Record<string | number, unknown>)[key] : undefined,
    value,
  );
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** What `sheath manifests` prints. */
export async function printed(...flags: string[]): Promise<readonly Manifest[]> {
  const { out, err, code } = await sheath(['manifests', '-o', 'json', ...flags]);
  if (code !== 0) throw new Error(err);
  return (JSON.parse(out) as { items: Manifest[] }).items;
}

export function find(objects: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = objects.find(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found === undefined) throw new Error(`no ${kind} ${name ?? ''}`);
  return found;
}

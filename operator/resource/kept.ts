/**
 * The last good `EncryptionMesh` on disk: what is in force when a node boots without the API server, or finds the resource gone or
 * spoilt. A copy of what the API server said, so a damaged one is dropped and told of.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../errors.ts';
import { writeAtomically } from '../files.ts';

const FILE = 'resource.json';

export function keptResourcePath(stateDir: string): string {
  return join(stateDir, FILE);
}

/** Whatever the file holds; undefined when there is none, or it is no JSON. @throws OperatorError `STATE_DIR_UNREADABLE` */
export async function loadResource(
  stateDir: string,
  onDamage: (path: string, error: unknown) => void,
): Promise<unknown> {
  const path = keptResourcePath(stateDir);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OperatorError(
      'STATE_DIR_UNREADABLE',
      `cannot read ${path}: ${why}; run as root, or name another --state-dir`,
      { cause },
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    onDamage(path, error);
    return undefined;
  }
}

/** The object as it came, so that a newer version finds in it what this one does not know. @throws the error of node:fs */
export async function saveResource(stateDir: string, object: unknown): Promise<void> {
  await writeAtomically(keptResourcePath(stateDir), `${JSON.stringify(object)}\n`, 0o600);
}

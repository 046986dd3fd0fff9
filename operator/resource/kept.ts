/**
 * The last good `EncryptionMesh` on disk: what is in force when a node boots without the API server, or finds the resource gone or
 * spoilt. A copy of what the API server said, so a damaged one is dropped and told of.
 */
import { join } from 'node:path';
import { writeAtomically } from '../files.ts';
import { loadState, type OnDamage } from '../state-file.ts';

const FILE = 'resource.json';

export function keptResourcePath(stateDir: string): string {
  return join(stateDir, FILE);
}

/** Whatever the file holds; undefined when there is none, or it is no JSON. @throws OperatorError `STATE_DIR_UNREADABLE` */
export function loadResource(stateDir: string, onDamage: OnDamage): Promise<unknown> {
  return loadState(keptResourcePath(stateDir), (content) => content, onDamage);
}

/** The object as it came, so that a newer version finds in it what this one does not know. @throws the error of node:fs */
export async function saveResource(stateDir: string, object: unknown): Promise<void> {
  await writeAtomically(keptResourcePath(stateDir), `${JSON.stringify(object)}\n`, 0o600);
}

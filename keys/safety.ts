/** Whose the keys are, and who else could read or replace them. */
import { dirname } from 'node:path';
import { KeyringError } from './errors.ts';
import type { FileFacts, KeyFiles } from './files.ts';

/** Makes the folder when it is missing. @throws `KEYRING_DIRECTORY_UNSAFE` */
export function checkDirectory(files: KeyFiles, path: string, owner: number): void {
  if (files.inspect(path) === undefined) {
    files.makeDirectory(path);
    files.syncDirectory(dirname(path));
  }
  const facts = files.inspect(path);
  const wrong = facts === undefined ? 'is not there' : wrongWith(facts, 'directory', owner);
  if (wrong === undefined) return;
  const message = `${wrong}; see who could have read the keys in it, then: chown ${owner} ${path} && chmod 0700 ${path}`;
  throw new KeyringError('KEYRING_DIRECTORY_UNSAFE', path, { message });
}

/** @throws `KEY_UNSAFE` */
export function checkFile(path: string, facts: FileFacts, owner: number): void {
  const wrong = wrongWith(facts, 'file', owner);
  if (wrong === undefined) return;
  const message = `${wrong}; remove it and start again for a fresh key, or, if nobody can have read it: chown ${owner} ${path} && chmod 0600 ${path}`;
  throw new KeyringError('KEY_UNSAFE', path, { message });
}

function wrongWith(facts: FileFacts, type: FileFacts['type'], owner: number): string | undefined {
  if (facts.type !== type)
    return `is a ${facts.type === 'link' ? 'symbolic link' : facts.type}, expected a ${type}`;
  if (facts.owner !== owner) return `belongs to user ${facts.owner}, expected ${owner}`;
  if ((facts.mode & 0o077) !== 0)
    return `has mode ${facts.mode.toString(8).padStart(4, '0')}, open to others`;
  return undefined;
}

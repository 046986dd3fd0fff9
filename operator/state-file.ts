/** JSON files in the state directory that a fresh agent can do without: a damaged one is dropped and said, never a reason to stand still. */
import { readFile } from 'node:fs/promises';
import { OperatorError } from './errors.ts';

export type OnDamage = (path: string, error: unknown) => void;

/**
 * What `parse` makes of the file. Undefined when there is none, or it is damaged (then `onDamage` hears of it).
 * @throws OperatorError `STATE_DIR_UNREADABLE`
 */
export async function loadState<T>(
  path: string,
  parse: (content: unknown) => T | Promise<T>,
  onDamage: OnDamage,
): Promise<T | undefined> {
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
    return await parse(JSON.parse(text));
  } catch (error) {
    onDamage(path, error);
    return undefined;
  }
}

/** Bearer tokens in files, which others renew in place. */
import { readFile } from 'node:fs/promises';

/** Bound tokens live an hour and are renewed at four fifths of it: a minute is early enough. */
const READ_AGAIN = 60_000;

export function fileToken(path: string): (fresh?: boolean) => Promise<string> {
  let last: { readonly value: string; readonly at: number } | undefined;
  return async (fresh = false) => {
    const now = performance.now();
    if (last === undefined || fresh || now - last.at > READ_AGAIN) {
      last = { value: `Bearer ${(await readFile(path, 'utf8')).trim()}`, at: now };
    }
    return last.value;
  };
}

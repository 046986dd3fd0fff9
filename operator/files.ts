/** Files that are there whole, or as they were before: never half. */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes beside, flushes, renames. @throws the error of node:fs */
export async function writeAtomically(path: string, text: string, mode: number): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  try {
    const file = await open(beside, 'w', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await flushFolder(dirname(path));
}

/** Without it the new name may be lost with the power. */
async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

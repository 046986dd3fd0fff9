/** What a node was told and promised, taken off its disk: after `sheath cleanup` no boot shall go by it. Its keys stay. */
import { rm } from 'node:fs/promises';
import { stancePath } from '../records/stance.ts';
import { keptResourcePath } from '../resource/kept.ts';

/** @throws the error of node:fs */
export async function forgetWishes(stateDir: string): Promise<void> {
  for (const path of [stancePath(stateDir), keptResourcePath(stateDir)]) await rm(path, { force: true });
}

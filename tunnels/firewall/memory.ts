/** What our tables were when we loaded them, kept on disk: an agent that starts again sees whether anybody changed them meanwhile. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../failure.ts';

export interface LoadedTable {
  /** Of the rules it was made from. */
  readonly digest: string;
  /** As the kernel had it then. */
  readonly fingerprint: string;
  /** The same, but for what the kernel counts up. */
  readonly content: string;
  /** Names of its chains: nobody can ask the kernel for those that have no rule, and they are in the fingerprint. */
  readonly chains: readonly string[];
}

export type LoadedTables = ReadonlyMap<string, LoadedTable>;

/** Empty where nothing was kept, or nothing that can be read: the tables are loaded anew then. */
export async function readLoaded(stateDir: string): Promise<LoadedTables> {
  try {
    const parsed: unknown = JSON.parse(await readFile(fileIn(stateDir), 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return new Map();
    return new Map(
      Object.entries(parsed).filter((entry): entry is [string, LoadedTable] => isLoaded(entry[1])),
    );
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return new Map();
    throw error;
  }
}

export async function writeLoaded(stateDir: string, tables: LoadedTables): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const file = fileIn(stateDir);
  await writeFile(`${file}.new`, `${JSON.stringify(Object.fromEntries(tables), null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

const fileIn = (stateDir: string) => join(stateDir, 'firewall.json');

function isLoaded(value: unknown): value is LoadedTable {
  return (
    typeof value === 'object' &&
    value !== null &&
    'digest' in value &&
    typeof value.digest === 'string' &&
    'fingerprint' in value &&
    typeof value.fingerprint === 'string' &&
    'content' in value &&
    typeof value.content === 'string' &&
    'chains' in value &&
    Array.isArray(value.chains) &&
    value.chains.every((chain) => typeof chain === 'string')
  );
}

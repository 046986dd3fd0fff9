/**
 * The door as one document for nft(8), kept on disk: a machine that boots loads it before anything on it speaks, and long before an agent
 * runs there (`deploy/sheath-door.service`). Only in strict mode, where the last thing that the agent knew was that the door is shut.
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from './json.ts';
import { GUARD } from './ruleset.ts';
import { creation, loading, removal } from './transaction.ts';

export const BOOT_DOOR = 'door.json';

export class BootDoor {
  readonly #folder: string;
  readonly #dry: boolean;
  /** As it was written; empty: there is none. Undefined: the disk is not known yet. */
  #text: string | undefined;

  constructor(folder: string, { dry = false } = {}) {
    this.#folder = folder;
    this.#dry = dry;
  }

  /** What the machine is to load when it boots: these tables, if they are a door. @throws what node:fs does */
  async set(tables: readonly Table[]): Promise<void> {
    const text = tables.some(({ name }) => name === GUARD) ? documentOf(tables) : '';
    if (this.#dry || text === this.#text) return;
    const file = join(this.#folder, BOOT_DOOR);
    if (text === '') await rm(file, { force: true });
    else {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFile(`${file}.new`, text, { mode: 0o600 });
      await rename(`${file}.new`, file);
    }
    this.#text = text;
  }
}

/** Whatever is there of them before goes: it may be loaded twice. */
function documentOf(tables: readonly Table[]): string {
  const commands = tables.flatMap((table) => [
    creation(table.name),
    removal(table.name),
    ...loading(table, undefined, new Map()),
  ]);
  return `${JSON.stringify({ nftables: commands })}\n`;
}

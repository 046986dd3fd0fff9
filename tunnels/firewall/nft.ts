/** Runs nft(8): one JSON document is one transaction. What the kernel has is read without it (`netlink/nftables.ts`). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runner } from '../ports.ts';
import type { Command } from './json.ts';

export interface Nft {
  /** All or nothing. */
  run(commands: readonly Command[]): Promise<void>;
  /** What `run` would say, and nothing done. */
  check(commands: readonly Command[]): Promise<void>;
}

export function createNft(options: { run: Runner; nft: string; dry?: boolean }): Nft {
  const call = async (commands: readonly Command[], flags: readonly string[]): Promise<void> => {
    // In a file: nft cannot open the socket that a child of Node has as its standard input.
    const folder = await mkdtemp(join(tmpdir(), 'sheath-nft-'));
    try {
      const file = join(folder, 'commands.json');
      await writeFile(file, JSON.stringify({ nftables: commands }), { mode: 0o600 });
      await options.run(options.nft, ['-j', ...flags, '-f', file]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return {
    run: async (commands) => {
      if (options.dry !== true) await call(commands, []);
    },
    check: (commands) => call(commands, ['-c']),
  };
}

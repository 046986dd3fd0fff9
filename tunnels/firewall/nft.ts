/** Runs nft(8): one JSON document is one transaction, and a listing is one JSON document. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasTable } from '../netlink/nftables.ts';
import type { Runner } from '../ports.ts';
import { type Command, TABLE } from './ruleset.ts';

/** Before the digest, and the number of rules, in a rule's comment. (Not the table's: nft 1.0 leaves that out of its JSON.) */
export const SIGNATURE = 'sheath ';

export interface Listed {
  /** From the comment of a rule; empty when none is ours. */
  readonly digest: string;
  /** Everything but handles: equal text, equal table. */
  readonly listing: string;
}

export interface Nft {
  /** All or nothing. */
  run(commands: readonly Command[]): Promise<void>;
  /** Undefined: there is no such table. */
  list(): Promise<Listed | undefined>;
}

export function createNft(options: { run: Runner; nft: string; dry?: boolean }): Nft {
  return {
    run: async (commands) => {
      if (options.dry === true) return;
      // In a file: nft cannot open the socket that a child of Node has as its standard input.
      const folder = await mkdtemp(join(tmpdir(), 'sheath-nft-'));
      try {
        const file = join(folder, 'commands.json');
        await writeFile(file, JSON.stringify({ nftables: commands }), { mode: 0o600 });
        await options.run(options.nft, ['-j', '-f', file]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    list: async () => {
      try {
        if (!(await hasTable(TABLE.name))) return undefined;
        return parseListing(
          await options.run(options.nft, ['-j', 'list', 'table', TABLE.family, TABLE.name]),
        );
      } catch (error) {
        if (error instanceof Error && /No such file or directory/.test(error.message)) return undefined;
        throw error;
      }
    },
  };
}

function parseListing(text: string): Listed {
  const { nftables } = JSON.parse(text) as { nftables: readonly Record<string, unknown>[] };
  let signature = '';
  let rules = 0;
  const objects = nftables.flatMap((entry): unknown[] => {
    const [kind = '', value] = Object.entries(entry)[0] ?? [];
    if (kind === 'metainfo' || typeof value !== 'object' || value === null) return [];
    const { handle: _, ...rest } = value as Record<string, unknown>;
    const comment = kind === 'rule' ? String(rest.comment ?? '') : '';
    if (comment.startsWith(SIGNATURE)) signature = comment.slice(SIGNATURE.length);
    if (kind === 'rule') rules++;
    return [{ [kind]: rest }];
  });
  // A rule that is missing, or that somebody added, makes it another table than the signed one.
  const [digest = '', count] = signature.split('.');
  return { digest: Number(count) === rules ? digest : '', listing: JSON.stringify(objects) };
}

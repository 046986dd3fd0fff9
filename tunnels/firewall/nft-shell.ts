/** nft(8) that stays and is told one transaction a line, so that the tables that it makes can be its own. */
import { spawn } from 'node:child_process';

export interface NftShell {
  readonly ended: boolean;
  /**
   * Each line a transaction: of libnftables-json(5), or in nft's own words.
   * @returns what it says of them; empty: all was done
   */
  tell(lines: readonly string[]): Promise<string>;
  /** What it made as an owner goes. */
  close(): void;
}

/** The answer to this comes last, as one line, so that all before it is a complaint. */
const LAST = `${JSON.stringify({ nftables: [{ list: { tables: null } }] })}\n`;
const ANSWER = '{"nftables"';
/** Milliseconds. */
const PATIENCE = 10_000;

export function startNftShell(program: string): NftShell {
  // One stream for both, so that they stay in order. It would keep a history of its lines in the home folder.
  const child = spawn('sh', ['-c', 'exec "$0" -j -i 2>&1', program], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, HOME: '/nonexistent' },
  });
  let ended = false;
  let heard = '';
  let listen: () => void = () => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
    listen();
  });
  // Told by `exit` or `error`.
  child.stdin.on('error', () => undefined);
  for (const event of ['exit', 'error'])
    child.once(event, () => {
      ended = true;
      listen();
    });

  const answered = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${program} -i: no answer`)), PATIENCE);
      listen = () => {
        const end = heard.startsWith(ANSWER) ? 0 : heard.indexOf(`\n${ANSWER}`);
        if (!ended && (end < 0 || !heard.endsWith('\n'))) return;
        clearTimeout(timer);
        if (ended) reject(new Error(heard.trim() || `${program} -i ended`));
        else resolve(heard.slice(0, end).replaceAll(/\s+/g, ' ').trim());
      };
    });

  return {
    get ended() {
      return ended;
    },
    tell: async (lines) => {
      heard = '';
      const answer = answered();
      child.stdin.write(`${lines.join('\n')}\n${LAST}`);
      return answer;
    },
    close: () => {
      child.stdin.end();
      child.stdout.destroy();
    },
  };
}

/** Nothing is done. */
export const dryNftShell: NftShell = { ended: false, tell: async () => '', close: () => undefined };

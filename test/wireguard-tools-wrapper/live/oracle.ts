/** The real `wg`, and what the suite makes of its text. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export async function run(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute(command, args, { maxBuffer: 64 << 20 });
  return stdout;
}

/** `wg setconf`, `addconf`, `syncconf` from text: files of mode 0600 in a folder of their own. */
export class ConfigFiles {
  readonly #folder = mkdtempSync(join(tmpdir(), 'wg-'));

  async apply(verb: 'setconf' | 'addconf' | 'syncconf', device: string, text: string): Promise<void> {
    const file = join(this.#folder, 'wg.conf');
    writeFileSync(file, text, { mode: 0o600 });
    await run('wg', verb, device, file);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** Lines of a dump without an order: wireguard-go lists its peers in a new one each time. */
export function sortedDump(dump: string): string[] {
  const [device = '', ...peers] = dump.trimEnd().split('\n');
  return [device, ...peers.sort()];
}

/** What was configured: allowed IPs sorted, counters left out (wireguard-go counts what it could not send). */
export function canonicalDump(dump: string): string[] {
  const [device = '', ...peers] = dump.trimEnd().split('\n');
  const configured = peers.map((line) => {
    const [publicKey, presharedKey, endpoint, allowedIps = '', , , , keepalive] = line.split('\t');
    return [publicKey, presharedKey, endpoint, allowedIps.split(',').sort().join(','), keepalive].join(' ');
  });
  return [device, ...configured.sort()];
}

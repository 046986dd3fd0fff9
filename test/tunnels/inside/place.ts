/** Where a suite runs: its folder, and the programs of the machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const userspace = process.env.SHEATH_TEST_USERSPACE === '1';
export const folder = mkdtempSync(join(tmpdir(), 'sheath-tunnels-'));
export const socketDir = join(folder, 'wireguard');
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

export function ip(line: string): string {
  return execFileSync('ip', line.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** For what may be gone already. */
export function ipQuietly(line: string): void {
  spawnSync('ip', line.split(' '));
}

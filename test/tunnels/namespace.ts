/** Runs a suite of `inside/` in a fresh network namespace: another mocha, in the same kernel. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const mocha = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin', 'mocha.js');

export interface Suite {
  /** File name in `inside/`. */
  readonly file: string;
  readonly userspace: boolean;
  /** Default: WireGuard. */
  readonly driver?: 'wireguard' | 'ipsec';
}

/** What every driver does on one machine: title and file. */
export const DATAPLANE_SUITES = [
  ['the dataplane', 'dataplane.ts'],
  ['what is in the way', 'foreign.ts'],
  ['two generations, and settings that change', 'generations.ts'],
] as const;

/** @throws Error with the suite's own report, unless all of it passed. */
export function runInNamespace({ file, userspace, driver = 'wireguard' }: Suite): void {
  const path = join(import.meta.dirname, 'inside', file);
  const args = ['--net', process.execPath, mocha, '--reporter', 'spec', '--exit', path];
  const result = spawnSync('unshare', args, {
    encoding: 'utf8',
    env: { ...process.env, SHEATH_TEST_USERSPACE: userspace ? '1' : '0', SHEATH_TEST_DRIVER: driver },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status === 0 && /\d+ passing/.test(result.stdout)) return;
  throw new Error(`${file} in a network namespace:\n${result.stdout}\n${result.stderr}`);
}

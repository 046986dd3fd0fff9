/** The kernels that kernel suites run on: the machine's own where it has WireGuard, else user-mode Linux. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import type { KernelChoice } from './suites.ts';

export type Kernel =
  | { readonly type: 'own'; readonly version: string }
  | {
      readonly type: 'uml';
      readonly version: string;
      readonly file: string;
      /** A library it needs on this host's CPU, or the empty string. */
      readonly preload: string;
    };

/** Oldest first, never empty. Builds one where there is none. @throws Error when that fails. */
export function findKernels(root: string): Kernel[] {
  if (process.env.SHEATH_UML_KERNEL === undefined && hasWireGuard())
    return [{ type: 'own', version: release() }];
  const preload = setUp(root, 'xstate.sh').trim();
  return setUp(root, 'kernel.sh')
    .split('\n')
    .filter((file) => file !== '')
    .map((file) => {
      const version = versionOf(file);
      return { type: 'uml', version, file, preload: Number.parseInt(version, 10) < 7 ? preload : '' };
    });
}

/** What a script of `test/setup` prints; what it tells the person goes to standard error. */
export function setUp(root: string, script: string): string {
  return execFileSync('sh', [path.join(root, 'test/setup', script)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** A device of that type can be made: tried in a network namespace of its own. */
function hasWireGuard(): boolean {
  const args = ['--net', 'ip', 'link', 'add', 'probe', 'type', 'wireguard'];
  return spawnSync('unshare', args, { stdio: 'ignore' }).status === 0;
}

/** `6.1` from `linux-6.1`; of a file with another name, what the kernel says. */
function versionOf(file: string): string {
  return (
    /^linux-(\d+\.\d+)$/.exec(path.basename(file))?.[1] ??
    execFileSync(file, ['--version'], { encoding: 'utf8' }).trim()
  );
}

/** @throws Error when `only` names one that is not at hand. */
export function chooseKernels(
  kernels: readonly Kernel[],
  choice: KernelChoice,
  only: readonly string[],
): Kernel[] {
  const missing = only.find((version) => !kernels.some((kernel) => kernel.version === version));
  if (missing !== undefined)
    throw new Error(
      `no kernel ${missing} here, only ${kernels.map(({ version }) => version).join(', ')}; sh test/setup/kernel.sh ${missing} builds it`,
    );
  if (only.length > 0) return kernels.filter(({ version }) => only.includes(version));
  const last = kernels.length - 1;
  return kernels.filter(
    (_, index) => choice === 'all' || index === last || (choice === 'ends' && index === 0),
  );
}

/** The host CPUs this process may run on. */
export function cpus(): number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

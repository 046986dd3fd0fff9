/** Which suites there are: a folder of tests each on the machine's own kernel, a file each on a kernel with WireGuard. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Suite {
  /** `test/keys`, `test/kernel/tunnels.test.ts`; from the root of the repository. */
  readonly name: string;
  readonly files: readonly string[];
  readonly timeoutSeconds: number;
}

export interface KernelSuite extends Suite {
  readonly kernels: KernelChoice;
  /** Memory of the user-mode Linux machine: `2G`. */
  readonly memory: string;
}

/** On which of the kernels at hand a suite runs. */
export type KernelChoice = 'all' | 'newest' | 'ends';

const NATIVE_TIMEOUT = 900;
const KERNEL_TIMEOUT = 600;

/** One suite for each folder below `root/test` with tests of its own, but for `test/kernel`. The largest come first: the last would run alone. */
export function nativeSuites(root: string, files: readonly string[]): Suite[] {
  const byFolder = Map.groupBy(
    testFiles(root, files).filter((file) => !file.startsWith('test/kernel/')),
    (file) => path.dirname(file),
  );
  return [...byFolder]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([name, members]) => ({ name, files: members, timeoutSeconds: NATIVE_TIMEOUT }));
}

/** One suite for each file in `root/test/kernel`. */
export function kernelSuites(root: string, files: readonly string[]): KernelSuite[] {
  return testFiles(root, files)
    .filter((file) => file.startsWith('test/kernel/'))
    .map((file) => ({
      name: file,
      files: [file],
      ...parseWishes(file, readFileSync(path.join(root, file), 'utf8')),
    }));
}

function testFiles(root: string, wanted: readonly string[]): string[] {
  return globSync('test/**/*.test.ts', { cwd: root })
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .sort();
}

/**
 * Reads what a suite asks for from a comment of its file:
 *
 *   // kernel suite: kernels all, memory 3G, timeout 900
 *
 * `kernels` is `newest` (the default), `ends` (oldest and newest) or `all`; `timeout` is in seconds.
 * @throws Error on a wish it does not know.
 */
export function parseWishes(file: string, text: string): Omit<KernelSuite, 'name' | 'files'> {
  const line = /^\/\/ kernel suite: (.*)$/m.exec(text)?.[1] ?? '';
  const wishes = { kernels: 'newest' as KernelChoice, memory: '2G', timeoutSeconds: KERNEL_TIMEOUT };
  for (const wish of line.split(',').map((part) => part.trim())) {
    const [, key, value = ''] = /^(\w+) (\w+)$/.exec(wish) ?? [];
    if (key === 'kernels' && isChoice(value)) wishes.kernels = value;
    else if (key === 'memory' && /^\d+[GM]$/.test(value)) wishes.memory = value;
    else if (key === 'timeout' && /^\d+$/.test(value)) wishes.timeoutSeconds = Number(value);
    else if (wish !== '') throw new Error(`${file}: "kernel suite" comment: cannot read "${wish}"`);
  }
  return wishes;
}

function isChoice(value: string): value is KernelChoice {
  return value === 'all' || value === 'newest' || value === 'ends';
}

/** `npm run bench`: runs benches one after the other, prints a table, writes `bench/results/NAME.json`. */
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus as hostCpus, release, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chooseKernels, cpus, findKernels, type Kernel, setUp } from '../test/runner/kernels.ts';
import { run } from '../test/runner/process.ts';
import { updateReadme } from './figures.ts';
import { ROWS, type Row } from './rows.ts';
import { printTable } from './table.ts';

const root = path.resolve(import.meta.dirname, '..');
const TIMEOUT = 1800;
const USAGE = `npm run bench -- [--list] [NAME...]

  NAME    only these: bring-up, plan, ...; all by default
`;

interface Bench {
  readonly name: string;
  readonly file: string;
  /** Its first line says \`// kernel bench\`: it needs WireGuard in the kernel. */
  readonly needsKernel: boolean;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { list: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const benches = findBenches();
  const unknown = positionals.find((name) => !benches.some((bench) => bench.name === name));
  if (unknown !== undefined)
    throw new Error(`no bench ${unknown}: ${benches.map(({ name }) => name).join(', ')}`);
  const chosen = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  if (values.list) {
    for (const { name } of benches) process.stdout.write(`${name}\n`);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  let broken = 0;
  for (const bench of chosen) {
    if (stop.signal.aborted) return 130;
    if (!(await runBench(bench, stop.signal))) broken += 1;
  }
  updateReadme();
  return broken > 0 ? 1 : 0;
}

function findBenches(): Bench[] {
  return globSync('*.bench.ts', { cwd: import.meta.dirname })
    .sort()
    .map((name) => {
      const file = path.join(import.meta.dirname, name);
      const needsKernel = readFileSync(file, 'utf8').startsWith('// kernel bench');
      return { name: path.basename(name, '.bench.ts'), file, needsKernel };
    });
}

/** True when it ran to its end; its marks may be missed nonetheless. */
async function runBench(bench: Bench, signal: AbortSignal): Promise<boolean> {
  const kernel: Kernel = bench.needsKernel ? newestKernel() : { type: 'own', version: release() };
  const folder = mkdtempSync(path.join(tmpdir(), 'sheath-bench-'));
  try {
    const { command, variables } = launch(bench, kernel, folder);
    const log = path.join(folder, 'log');
    process.stdout.write(`\n${bench.name}, on ${describe(kernel)}\n`);
    const end = await run(command, {
      cwd: root,
      env: { ...process.env, ...variables },
      output: openSync(log, 'w'),
      timeoutSeconds: TIMEOUT,
      signal,
    });
    const rows = readRows(path.join(folder, 'rows'));
    printTable(rows);
    const well = end.type === 'exit' && end.code === 0;
    process.stdout.write(readFileSync(log, 'utf8').replace(/^(?=.)/gm, '  | '));
    if (!well) process.stdout.write(`${bench.name} failed: ${JSON.stringify(end)}\n`);
    else writeResults(bench, kernel, rows);
    return well;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function newestKernel(): Kernel {
  const [kernel] = chooseKernels(findKernels(root), 'newest', []);
  if (kernel === undefined) throw new Error('no kernel');
  return kernel;
}

function describe(kernel: Kernel): string {
  return kernel.type === 'uml'
    ? `user-mode Linux ${kernel.version}`
    : `this machine's Linux ${kernel.version}`;
}

function launch(bench: Bench, kernel: Kernel, folder: string) {
  const variables = { KUBEBUILDER_ASSETS: setUp(root, 'envtest.sh').trim() };
  const node = ['node', '--conditions=source', '--disable-warning=ExperimentalWarning', bench.file];
  if (kernel.type === 'own') {
    return {
      command: ['unshare', '--net', '--mount', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh', ...node],
      variables: { ...variables, [ROWS]: path.join(folder, 'rows') },
    };
  }
  const inside = {
    ...variables,
    [ROWS]: '/run/share/rows',
    PATH: `${root}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  };
  const assignments = Object.entries(inside).map(([key, value]) => `${key}=${value}`);
  return {
    command: [path.join(root, 'test/kernel/uml-run'), 'env', ...assignments, ...node],
    variables: {
      UML_KERNEL: kernel.file,
      UML_PRELOAD: kernel.preload,
      UML_MEM: '6G',
      UML_PIN: process.env.UML_PIN ?? String(cpus().at(-1)),
      UML_SHARE: folder,
    },
  };
}

function readRows(file: string): Row[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Row);
}

function writeResults(bench: Bench, kernel: Kernel, rows: readonly Row[]): void {
  const folder = path.join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const [cpu] = hostCpus();
  const results = {
    bench: bench.name,
    date: new Date().toISOString(),
    kernel: describe(kernel),
    cpu: cpu?.model ?? 'unknown',
    rows,
  };
  writeFileSync(path.join(folder, `${bench.name}.json`), `${JSON.stringify(results, null, 2)}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`npm run bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

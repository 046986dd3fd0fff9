/** `npm test`: every phase, one line a suite, the failures in full, and `N passed, N failed` as the last line. */
import path from 'node:path';
import { chooseKernels, cpus, findKernels, type Kernel, setUp } from './kernels.ts';
import { type Options, type Phase, parseOptions, USAGE } from './options.ts';
import { inParallel } from './pool.ts';
import { printFailures, printResult, say } from './print.ts';
import { type Environment, runNative, runOnKernel, type SuiteResult } from './suite.ts';
import { type KernelSuite, kernelSuites, nativeSuites } from './suites.ts';
import { runTool, TOOLS } from './tools.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** One thing to run on one of the host's CPUs. */
interface Job {
  readonly name: string;
  /** Tools are no tests: only their failures count. */
  readonly counts: boolean;
  run(cpu: number): Promise<SuiteResult>;
}

interface Named {
  readonly name: string;
  readonly result: SuiteResult;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const results: Named[] = [];
  let passed = 0;
  for (const phase of options.phases) {
    const places = cpus().slice(0, options.jobs ?? 2);
    await inParallel(prepare(phase, options, stop.signal), places, async (job, cpu) => {
      if (stop.signal.aborted) return;
      const result = await job.run(cpu);
      if (job.counts) passed += result.passed;
      results.push({ name: job.name, result });
      printResult(job.name, result);
    });
  }
  if (stop.signal.aborted) return 130;
  return summary(results, passed);
}

function summary(results: readonly Named[], passed: number): number {
  for (const { name, result } of results) printFailures(name, result);
  const failed = results.reduce((sum, { result }) => sum + result.failures.length, 0);
  if (results.length === 0) say('no suite was asked for');
  say(`${passed} passed, ${failed} failed`);
  return failed > 0 || results.length === 0 ? 1 : 0;
}

function prepare(phase: Phase, options: Options, signal: AbortSignal): Job[] {
  switch (phase) {
    case 'check':
    case 'build':
      return TOOLS[phase].map((tool) => ({
        name: tool.name,
        counts: false,
        run: () => runTool(tool, { root, variables: {}, signal }),
      }));
    case 'native': {
      const suites = nativeSuites(root, options.files);
      if (suites.length === 0) return [];
      const environment: Environment = { root, signal, ...apiServer() };
      return suites.map((suite) => ({
        name: suite.name,
        counts: true,
        run: () => runNative(suite, environment),
      }));
    }
    case 'kernel': {
      const suites = kernelSuites(root, options.files);
      if (suites.length === 0) return [];
      const environment: Environment = { root, signal, ...apiServer() };
      return kernelJobs(suites, options, environment);
    }
  }
}

function kernelJobs(suites: readonly KernelSuite[], options: Options, environment: Environment): Job[] {
  const kernels = findKernels(root);
  say(`kernels: ${kernels.map(nameOf).join(', ')}`);
  return suites.flatMap((suite) =>
    chooseKernels(kernels, suite.kernels, options.kernels).map((kernel) => ({
      name: `${suite.name} on ${nameOf(kernel)}`,
      counts: true,
      run: (cpu: number) =>
        runOnKernel(
          suite,
          {
            ...environment,
            variables: { ...environment.variables, ...faultsAsked(), SHEATH_KERNEL: kernel.version },
          },
          { kernel, cpu },
        ),
    })),
  );
}

function nameOf(kernel: Kernel): string {
  return kernel.type === 'own' ? `the machine's own ${kernel.version}` : `user-mode Linux ${kernel.version}`;
}

/** How many random faults, from which seed: user-mode Linux has an environment of its own. */
function faultsAsked(): Readonly<Record<string, string>> {
  const asked = Object.entries(process.env).filter(([name]) => name.startsWith('SHEATH_FAULT_'));
  return Object.fromEntries(asked.map(([name, value = '']) => [name, value]));
}

/** Where the tests find a real API server; builds it where there is none. */
function apiServer(): Pick<Environment, 'variables' | 'programs'> {
  const folder = setUp(root, 'envtest.sh').trim();
  return { variables: { KUBEBUILDER_ASSETS: folder }, programs: folder };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`npm test: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

/** Runs one suite in a process of its own and says what came of it, whatever happens to that process. */
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REPORT, readEvents, type TestEvent } from './events.ts';
import type { Kernel } from './kernels.ts';
import { type End, run } from './process.ts';
import type { KernelSuite, Suite } from './suites.ts';

export interface SuiteResult {
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly seconds: number;
}

export interface Failure {
  readonly title: string;
  readonly detail: string;
}

export interface Environment {
  readonly root: string;
  /** Further environment of the tests. */
  readonly variables: Readonly<Record<string, string>>;
  /** A folder of programs that the machine need not have: kubectl. */
  readonly programs?: string;
  readonly signal: AbortSignal;
}

const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const LOG_LINES = 60;

/** On the machine's own kernel. */
export async function runNative(suite: Suite, environment: Environment): Promise<SuiteResult> {
  return inFolder(suite, environment, (folder) => ({
    command: mocha(suite),
    variables: { [REPORT]: path.join(folder, 'report') },
  }));
}

/** On `kernel`; in user-mode Linux pinned to one host CPU, `cpu`. */
export async function runOnKernel(
  suite: KernelSuite,
  environment: Environment,
  place: { kernel: Kernel; cpu: number },
): Promise<SuiteResult> {
  const { kernel, cpu } = place;
  if (kernel.type === 'own') {
    // As it is in user-mode Linux: nothing but a loopback device, and no named namespaces of others.
    const alone = 'ip link set lo up && mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && exec "$@"';
    return inFolder(suite, environment, (folder) => ({
      command: [
        'unshare',
        '--net',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        alone,
        'sh',
        ...mocha(suite),
      ],
      variables: { [REPORT]: path.join(folder, 'report') },
    }));
  }
  return inFolder(suite, environment, (folder) => {
    const inside = {
      ...environment.variables,
      [REPORT]: '/run/share/report',
      PATH: withPrograms(`${environment.root}/node_modules/.bin:${PROGRAM_PATH}`, environment),
    };
    const assignments = Object.entries(inside).map(([key, value]) => `${key}=${value}`);
    return {
      command: [path.join(environment.root, 'test/kernel/uml-run'), 'env', ...assignments, ...mocha(suite)],
      variables: {
        UML_KERNEL: kernel.file,
        UML_PRELOAD: kernel.preload,
        UML_MEM: suite.memory,
        UML_PIN: String(cpu),
        UML_SHARE: folder,
      },
    };
  });
}

/** After the machine's own. */
function withPrograms(searched: string, { programs }: Environment): string {
  return programs === undefined ? searched : `${searched}:${programs}`;
}

function mocha(suite: Suite): string[] {
  return ['mocha', '--forbid-only', '--reporter', 'test/runner/reporter.ts', ...suite.files];
}

type Launch = { readonly command: string[]; readonly variables: Readonly<Record<string, string>> };

async function inFolder(
  suite: Suite,
  environment: Environment,
  launch: (folder: string) => Launch,
): Promise<SuiteResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sheath-test-'));
  const began = performance.now();
  try {
    const { command, variables } = launch(folder);
    const log = path.join(folder, 'log');
    const end = await run(command, {
      cwd: environment.root,
      env: {
        ...process.env,
        PATH: withPrograms(process.env.PATH ?? PROGRAM_PATH, environment),
        ...environment.variables,
        ...variables,
      },
      output: openSync(log, 'w'),
      timeoutSeconds: suite.timeoutSeconds,
      signal: environment.signal,
    });
    const report = path.join(folder, 'report');
    const events = existsSync(report) ? readEvents(readFileSync(report, 'utf8')) : [];
    return judge(events, end, readFileSync(log, 'utf8'), (performance.now() - began) / 1000);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every way in which a suite can be wrong becomes a failure with a title. */
function judge(events: readonly TestEvent[], end: End, log: string, seconds: number): SuiteResult {
  const failures: Failure[] = [];
  for (const event of events) {
    if (event.event === 'fail') failures.push({ title: event.title, detail: event.error });
    if (event.event === 'pending')
      failures.push({ title: event.title, detail: 'pending: a test runs, or is not there' });
  }
  const passed = events.filter(({ event }) => event === 'pass').length;
  const title = trouble(events, end, passed + failures.length);
  if (title !== undefined) failures.push({ title, detail: '' });
  const tail = log.trimEnd().split('\n').slice(-LOG_LINES).join('\n');
  const last = failures.at(-1);
  if (last !== undefined && tail !== '')
    failures[failures.length - 1] = {
      ...last,
      detail: `${last.detail}\nlast lines of the log:\n${tail}`.trim(),
    };
  return { passed, failures, seconds };
}

/** What is wrong with the suite as a whole, apart from its tests. */
function trouble(events: readonly TestEvent[], end: End, tests: number): string | undefined {
  const finished = events.some(({ event }) => event === 'end');
  if (end.type === 'timeout')
    return finished
      ? 'the suite ended but its process did not: a test left a socket, timer or child open'
      : `the suite did not end within ${end.seconds} s`;
  if (!finished) return `the suite crashed (${describeEnd(end)})`;
  if (tests === 0) return 'the suite has no tests';
  const failed = events.some(({ event }) => event === 'fail');
  if (!failed && !(end.type === 'exit' && end.code === 0)) return `all tests passed, but ${describeEnd(end)}`;
  return undefined;
}

function describeEnd(end: End): string {
  switch (end.type) {
    case 'exit':
      return `exit code ${end.code}`;
    case 'signal':
      return `ended by ${end.signal}`;
    case 'timeout':
      return `killed after ${end.seconds} s`;
    case 'unstartable':
      return end.reason;
  }
}

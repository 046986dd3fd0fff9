/** What the command line of `npm test` asks for. */
import { parseArgs } from 'node:util';

export const PHASES = ['check', 'build', 'native', 'kernel'] as const;
export type Phase = (typeof PHASES)[number];

export interface Options {
  readonly phases: readonly Phase[];
  /** Kernel versions to run on, as the cache names them: `6.1`. Empty: what each suite asks for. */
  readonly kernels: readonly string[];
  /** A suite runs when its path holds one of these; empty: all of them. */
  readonly files: readonly string[];
  readonly jobs: number | undefined;
  readonly help: boolean;
}

export const USAGE = `npm test -- [OPTION...] [FILE...]

  FILE              only suites whose path holds this: keys, kernel/tunnels, ...
  --only PHASE      check, build, native or kernel; may be given again
  --kernel VERSION  kernel suites on this kernel only: 6.1; may be given again
  --jobs N          suites at a time, two at most by default
  --help            this text

SHEATH_UML_KERNEL and KUBEBUILDER_ASSETS name a user-mode Linux kernel and the folder of an API server
to use instead of those in ~/.cache/sheath. The last line is \`N passed, N failed\`.
`;

/** @throws Error that says what is wrong with the arguments. */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string', multiple: true },
      kernel: { type: 'string', multiple: true },
      jobs: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const kernels = values.kernel ?? [];
  const narrowed = kernels.length > 0 ? (['kernel'] as const) : undefined;
  const suitesOnly = positionals.length > 0 ? (['build', 'native', 'kernel'] as const) : undefined;
  return {
    phases: values.only?.map(parsePhase) ?? narrowed ?? suitesOnly ?? PHASES,
    kernels,
    files: positionals.map((file) => file.replace(/^(\.\/)?(test\/)?/, '')),
    jobs: values.jobs === undefined ? undefined : parseJobs(values.jobs),
    help: values.help ?? false,
  };
}

function parsePhase(text: string): Phase {
  const phase = PHASES.find((known) => known === text);
  if (phase === undefined) throw new Error(`--only ${text}: not one of ${PHASES.join(', ')}`);
  return phase;
}

function parseJobs(text: string): number {
  if (!/^[1-9][0-9]?$/.test(text)) throw new Error(`--jobs ${text}: not a number from 1 to 99`);
  return Number(text);
}

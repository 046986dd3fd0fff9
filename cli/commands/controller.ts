import { hostname } from 'node:os';
import { Option } from 'commander';
import type { Register } from '../command.ts';
import type { Context } from '../context.ts';
import { keepHeapSmall } from '../heap.ts';
import { VERSION } from '../version.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const EXAMPLES = `
Examples:
  sheath controller                         in a pod, by its service account
  sheath controller --kubeconfig admin.conf --http none

Run two: one leads, known by the Lease sheath-controller, the other takes over
when it is gone. The nodes need neither: without a controller there is no
status on the resource, and no rotation by schedule.
SIGTERM gives the Lease back.`;

interface Options {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly http: string;
  readonly identity: string;
  readonly namespace: string;
  readonly logLevel: string;
}

export const register: Register = (command, context) => {
  command
    .option('--kubeconfig <file>', 'how to reach the API server')
    .option('--context <name>', 'which context of the kubeconfig')
    .addOption(
      stated('--http <address:port>', 'metrics and health; none: off', '127.0.0.1:9560', 'SHEATH_HTTP'),
    )
    .addOption(stated('--identity <name>', 'who it is in the Lease and in Events', hostname(), 'POD_NAME'))
    .addOption(stated('--namespace <name>', 'where the Lease is', 'sheath-system', 'POD_NAMESPACE'))
    .addOption(
      stated('--log-level <level>', 'what is logged', 'info', 'SHEATH_LOG_LEVEL').choices(LOG_LEVELS),
    )
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => run(options, context));
};

function stated(flags: string, description: string, value: string, variable: string): Option {
  return new Option(flags, description).default(value).env(variable);
}

async function run(options: Options, context: Context): Promise<void> {
  keepHeapSmall();
  const { runController } = await import('../../operator/controller/run.ts');
  const { kubeconfig, context: kubeContext, http, identity, namespace, logLevel } = options;
  await runController(
    {
      identity,
      namespace,
      logLevel,
      version: VERSION,
      environment: context.env,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(kubeContext === undefined ? {} : { context: kubeContext }),
      ...(http === 'none' ? {} : { http }),
    },
    context.signal,
  );
}

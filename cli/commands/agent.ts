import { type Command, Option } from 'commander';
import type { AgentOptions, LogLevel } from '../../operator/agent/run.ts';
import { FIELDS } from '../../operator/config/fields.ts';
import type { Register } from '../command.ts';
import type { Context } from '../context.ts';
import { usageError } from '../exit.ts';
import { keepHeapSmall } from '../heap.ts';
import { procSysOption, RUN_DIR } from '../sources/options.ts';
import { VERSION } from '../version.ts';

const LOG_LEVELS = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'silent',
] as const satisfies readonly LogLevel[];

const EXAMPLES = `
Examples:
  sheath agent --node-name n1 --encryption wireguard
  sheath agent --node-name n1 --config /etc/sheath.yaml --kubeconfig admin.conf
  sheath agent --node-name n1 --encryption none     take everything back

Each setting is taken from its flag, else its variable (--wireguard-port is
SHEATH_WIREGUARD_PORT), else --config, else the EncryptionMesh named default,
which is followed as it changes, else its default.
SIGTERM stops the agent and leaves the tunnels up: a restart loses no packet.`;

type Options = Pick<
  AgentOptions,
  'kubeconfig' | 'context' | 'stateDir' | 'runDir' | 'procSys' | 'http' | 'logLevel'
> & {
  readonly nodeName?: string;
  readonly config?: string;
};

export const register: Register = (command, context) => {
  addProgramOptions(command);
  command.optionsGroup('The mesh:');
  for (const field of FIELDS) command.option(`${field.flag} ${field.argument}`, field.description);
  command.addHelpText('after', EXAMPLES).action((options: Options) => run(options, context));
};

function addProgramOptions(command: Command): void {
  command
    .addOption(new Option('--node-name <name>', "the name of this machine's Node").env('NODE_NAME'))
    .addOption(
      new Option('--config <file>', 'settings in YAML, or a whole EncryptionMesh').env('SHEATH_CONFIG'),
    )
    .option('--kubeconfig <file>', 'how to reach the API server')
    .option('--context <name>', 'which context of the kubeconfig')
    .addOption(stated('--state-dir <folder>', 'keys and records', '/var/lib/sheath').env('SHEATH_STATE_DIR'))
    .addOption(stated('--run-dir <folder>', 'its socket agent.sock', RUN_DIR).env('SHEATH_RUN_DIR'))
    .addOption(procSysOption())
    .addOption(
      stated('--http <address:port>', 'metrics, health and status; none: off', '127.0.0.1:9559').env(
        'SHEATH_HTTP',
      ),
    )
    .addOption(
      stated('--log-level <level>', 'what is logged', 'info').choices(LOG_LEVELS).env('SHEATH_LOG_LEVEL'),
    );
}

function stated(flags: string, description: string, value: string): Option {
  return new Option(flags, description).default(value);
}

async function run(options: Options, context: Context): Promise<void> {
  const { nodeName, config, http, ...rest } = options;
  if (nodeName === undefined || nodeName === '') {
    throw usageError(
      "which Node is this? Name it with --node-name or NODE_NAME; 'kubectl get nodes' lists them",
    );
  }
  keepHeapSmall();
  const { loadLayers } = await import('../../operator/config/load.ts');
  const layers = await loadLayers({
    flags: { ...rest },
    environment: context.env,
    ...(config === undefined ? {} : { file: config }),
  });
  const { runAgent } = await import('../../operator/agent/run.ts');
  const { kubeconfig, context: kubeContext, stateDir, runDir, procSys, logLevel } = rest;
  await runAgent(
    {
      nodeName,
      layers,
      stateDir,
      runDir,
      ...(procSys === undefined ? {} : { procSys }),
      logLevel,
      version: VERSION,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(kubeContext === undefined ? {} : { context: kubeContext }),
      ...(http === undefined || http === 'none' ? {} : { http }),
    },
    context.signal,
  );
}

import { readFile } from 'node:fs/promises';
import { Option } from 'commander';
import type { Register } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { formatCleanup } from '../format/cleanup.ts';
import { type OutputOptions, outputOption, render } from '../format/output.ts';
import { viewOf } from '../format/view.ts';
import { agentAnswers, agentClient } from '../sources/agent.ts';
import { procSysOption, RUN_DIR } from '../sources/options.ts';

const EXAMPLES = `
Examples:
  sheath cleanup --node-name n1
  sheath cleanup --node-name n1 --kubeconfig admin.conf

Devices, routes, rules, the firewall table and sysctls are as before; keys stay
in the state folder. Where the API server does not answer, the command that
takes the annotations off is printed. While an agent runs it would put all this
back: use 'sheath agent --encryption none' instead.`;

interface Options extends OutputOptions {
  readonly nodeName?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly procSys: string;
}

export const register: Register = (command, context) => {
  command
    .addOption(new Option('--node-name <name>', "the name of this machine's Node").env('NODE_NAME'))
    .option('--kubeconfig <file>', 'how to reach the API server')
    .option('--context <name>', 'which context of the kubeconfig')
    .addOption(
      new Option('--state-dir <folder>', 'of the agent').default('/var/lib/sheath').env('SHEATH_STATE_DIR'),
    )
    .addOption(new Option('--run-dir <folder>', 'of the agent').default(RUN_DIR).env('SHEATH_RUN_DIR'))
    .addOption(procSysOption())
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => run(options, context));
};

async function run(options: Options, context: Context): Promise<void> {
  await refuseBesideAgent(options.runDir);
  await requireNetAdmin();
  const { removeAnnotations } = await import('../sources/annotations.ts');
  const { takeBack } = await import('../sources/take-back.ts');
  const { nodeName: node, kubeconfig, context: kubeContext, stateDir, runDir, procSys } = options;
  // First, so that the others stop sending while the device still answers.
  const annotations = await removeAnnotations({ node, kubeconfig, context: kubeContext }, context);
  const onWait = () => context.err.write('waiting for silence on the last device …\n');
  const { changes, errors } = await takeBack({ stateDir, runDir, procSys, signal: context.signal, onWait });
  const value = {
    changes,
    errors: errors.map(({ part, code, message }) => ({ part, code, message })),
    annotations,
  };
  const text = (wide: boolean) => formatCleanup(value, viewOf(context, { wide }));
  context.out.write(await render(value, { output: options.output, text }));
  context.exitCode = errors.length === 0 ? EXIT.well : EXIT.wrong;
}

async function refuseBesideAgent(runDir: string): Promise<void> {
  const agent = agentClient(runDir);
  if (!(await agentAnswers(agent))) return;
  throw new CliError(
    `an agent runs here (it answers on ${agent.socket}) and would put everything back; stop it first, or run it with --encryption none`,
    { code: 'AGENT_RUNNING', exitCode: EXIT.wrong },
  );
}

/** capabilities(7) */
const CAP_NET_ADMIN = 12n;

/** Said before anything is touched: half a cleanup is worse than none. */
async function requireNetAdmin(): Promise<void> {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0';
  if ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) return;
  throw new CliError('routes and devices are changed here, which takes CAP_NET_ADMIN: run it as root', {
    code: 'NOT_PERMITTED',
    exitCode: EXIT.wrong,
  });
}

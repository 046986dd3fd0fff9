import { type Command, Option } from 'commander';
import type { LabOptions } from '../../lab/nodes/lab.ts';
import type { Between } from '../../lab/traffic/endpoints.ts';
import type { Register } from '../command.ts';
import { type Context, painter } from '../context.ts';
import { EXIT, type ExitCode, usageError } from '../exit.ts';
import { type OutputOptions, outputOption, render } from '../format/output.ts';

const EXAMPLES = `
Examples:
  sheath lab up                            three nodes, one pod each
  sheath lab enable                        encrypt them
  sheath lab traffic                       what is lost, what is in clear
  sheath lab rotate                        change the keys meanwhile
  sheath lab enable --encryption ipsec     from WireGuard to IPsec
  sheath lab exec n1 -- sheath peers       inside a node
  sheath lab exec n1-p1 -- ping 10.244.2.2 inside a pod
  sheath lab kill n2; sheath lab start n2  an agent gone and back
  sheath lab down

Everything is in network namespaces and in /run/sheath-lab; it takes root.`;

const TRAFFIC_NOTE = `
Before it counts, each flow sends up to 20 packets, until one arrives: "0 lost"
says nothing of the first packet to a neighbour that has yet to be found.`;

interface Named {
  readonly name: string;
}

type UpOptions = Named &
  Pick<LabOptions, 'ipv6' | 'encryption' | 'kubeconfig' | 'through'> & { nodes: number; pods: number };

export const register: Register = (command, context) => {
  command.enablePositionalOptions().usage('COMMAND [flags]').addHelpText('after', EXAMPLES);
  addUpAndDown(command, context);
  for (const [name, load] of ROLLOUTS) addRollout(command.command(name), { name, load }, context);
  addNodeCommands(command, context);
  addTraffic(command, context);
  named(command.command('serve', { hidden: true })).action(async ({ name }: Named) => {
    const { openLab } = await import('../../lab/nodes/folder.ts');
    const { serveApi } = await import('../../lab/nodes/api.ts');
    await serveApi(await openLab(name), context.signal);
  });
};

function addUpAndDown(command: Command, context: Context): void {
  named(command.command('up'))
    .description('Build a lab: nodes, pods, an underlay, an API server, agents.')
    .option('--nodes <n>', 'how many nodes', wholeNumber, 3)
    .option('--pods <n>', 'pods on each', wholeNumber, 1)
    .option('--ipv6', 'IPv6 as well as IPv4')
    .addOption(encryptionOption())
    .option('--kubeconfig <file>', 'a real API server, instead of the embedded one')
    .addOption(
      new Option('--through <way>', 'tell the agents by the resource, or by their flags')
        .choices(['resource', 'flag'])
        .default('resource'),
    )
    .action((options: UpOptions) => up(options, context));
  named(command.command('down'))
    .description('End a lab and remove all of it.')
    .action(async ({ name }: Named) => {
      const { labDown } = await import('../../lab/nodes/lab.ts');
      const was = await labDown(name);
      context.out.write(was ? `lab ${name} is gone\n` : `there was no lab ${name}\n`);
    });
}

/** The commands of a cluster, for the cluster that the lab is. */
const ROLLOUTS: readonly (readonly [string, () => Promise<{ readonly register: Register }>])[] = [
  ['enable', () => import('./enable.ts')],
  ['rotate', () => import('./rotate.ts')],
  ['disable', () => import('./disable.ts')],
];

interface Rollout {
  readonly name: string;
  readonly load: () => Promise<{ readonly register: Register }>;
}

/** Its flags are those of `sheath NAME`; nobody is asked, and it waits. */
function addRollout(command: Command, { name, load }: Rollout, context: Context): void {
  named(command)
    .description(`As 'sheath ${name} --wait', of the lab, with its flags.`)
    .argument('[flags...]')
    .allowUnknownOption()
    .action(async (flags: string[], { name: lab }: Named) => {
      const { openLab } = await import('../../lab/nodes/folder.ts');
      const { kubeconfig } = await openLab(lab);
      const { Command: Program } = await import('commander');
      const program = new Program(name).exitOverride().configureOutput({
        writeOut: (text) => void context.out.write(text),
        writeErr: (text) => void context.err.write(text),
        outputError: (text, write) =>
          write(
            `sheath: ${text
              .trim()
              .replace(/^error: /, '')
              .replace(/\.$/, '')}; see 'sheath ${name} --help'\n`,
          ),
      });
      (await load()).register(program, context);
      await program.parseAsync(['--kubeconfig', kubeconfig, '--yes', '--wait', ...flags], { from: 'user' });
    });
}

async function up(options: UpOptions, context: Context): Promise<void> {
  const { labUp } = await import('../../lab/nodes/lab.ts');
  const { labStatus } = await import('../../lab/nodes/status.ts');
  const { formatLabStatus } = await import('../../lab/cli/format.ts');
  const progress = (line: string): void => void context.err.write(`${line}\n`);
  const controller = options.through === 'resource';
  const lab = await labUp({ ...options, controller, progress, signal: context.signal });
  const look = { paint: painter(context.out), wide: false };
  context.out.write(formatLabStatus(await labStatus(lab), look));
}

function addNodeCommands(command: Command, context: Context): void {
  named(command.command('status'))
    .description('Every node, its agent and its pods.')
    .addOption(outputOption())
    .action(({ name, output }: Named & OutputOptions) => status(name, output, context));
  named(command.command('exec'))
    .description('Run a command inside a node or a pod.')
    .argument('<place>', 'n1, n1-p1')
    .argument('<command...>')
    .passThroughOptions()
    .action(async (place: string, words: string[], { name }: Named) => {
      const { execCommand } = await import('../../lab/cli/exec.ts');
      // The exit code is the command's own, whatever ours mean.
      context.exitCode = (await execCommand(name, place, words)) as ExitCode;
    });
  named(command.command('kill'))
    .description("Kill a node's agent, as 'kill -9' does.")
    .argument('<node>')
    .option('--node', 'the whole node, as a power cut does')
    .action(async (node: string, { name, node: whole }: Named & { node?: boolean }) => {
      const { killNode } = await import('../../lab/nodes/lab.ts');
      const { openLab } = await import('../../lab/nodes/folder.ts');
      await killNode(await openLab(name), node, whole ? 'node' : 'agent');
      context.out.write(whole ? `${node} has no power\n` : `the agent of ${node} is dead\n`);
    });
  named(command.command('start'))
    .description('Bring back what is missing of a node.')
    .argument('<node>')
    .action(async (node: string, { name }: Named) => {
      const { startNode } = await import('../../lab/nodes/lab.ts');
      const { openLab } = await import('../../lab/nodes/folder.ts');
      await startNode(await openLab(name), node);
      context.out.write(`${node} starts\n`);
    });
}

async function status(name: string, output: OutputOptions['output'], context: Context): Promise<void> {
  const { openLab } = await import('../../lab/nodes/folder.ts');
  const { labStatus } = await import('../../lab/nodes/status.ts');
  const { formatLabStatus } = await import('../../lab/cli/format.ts');
  const value = await labStatus(await openLab(name));
  const text = (wide: boolean): string => formatLabStatus(value, { paint: painter(context.out), wide });
  context.out.write(await render(value, { output, text }));
  if (value.nodes.some(({ agent }) => agent !== 'running')) context.exitCode = EXIT.wrong;
}

interface TrafficFlags extends Named, OutputOptions {
  readonly rate: number;
  readonly size: number;
  readonly between: Between;
  readonly for?: number;
  readonly only?: readonly string[];
  readonly answers?: boolean;
  readonly tcp?: boolean;
  readonly connected?: boolean;
  readonly events?: boolean;
}

function addTraffic(command: Command, context: Context): void {
  named(command.command('traffic'))
    .description('Steady numbered packets both ways: what is lost, and what the wire shows in clear.')
    .option('--for <seconds>', 'then stop; else on Ctrl-C', wholeNumber)
    .option('--rate <n>', 'packets a second of each flow', wholeNumber, 20)
    .option('--size <bytes>', 'payload of a packet', wholeNumber, 64)
    .addOption(
      new Option('--between <whom>', 'who talks').choices(['pods', 'hosts', 'nodes', 'all']).default('pods'),
    )
    .option('--only <places...>', 'pods and nodes that take part')
    .option('--answers', 'count answers, which find back through a masquerade')
    .option('--tcp', 'a TCP stream as well')
    .option('--connected', 'sockets that keep the route they first found')
    .addOption(outputOption())
    .addHelpText('after', TRAFFIC_NOTE)
    .addOption(new Option('--first-port <port>').argParser(wholeNumber).hideHelp())
    .addOption(new Option('--events').hideHelp())
    .action(async ({ for: seconds, events, ...rest }: TrafficFlags) => {
      const { trafficCommand } = await import('../../lab/cli/traffic.ts');
      const timed = seconds === undefined ? {} : { seconds };
      await trafficCommand({ ...rest, ...timed, events: events ?? false }, context);
    });
}

function named(command: Command): Command {
  return command.option('--name <lab>', 'which lab', 'lab');
}

function encryptionOption(): Option {
  return new Option('--encryption <what>', 'what the agents do')
    .choices(['none', 'wireguard', 'ipsec'])
    .default('none');
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw usageError(`a whole number from 1 up is wanted, not "${text}"`);
  return value;
}

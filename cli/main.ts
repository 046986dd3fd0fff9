import { Command, CommanderError } from 'commander';
import { COMMANDS, type CommandEntry } from './command.ts';
import type { Context } from './context.ts';
import { painter } from './context.ts';
import { EXIT, type ExitCode, usageError } from './exit.ts';
import { explain } from './explain.ts';
import { helpStyle, helpWidth } from './help.ts';

const EXAMPLES = `
Examples:
  sheath status             is everything encrypted, as this node sees it
  sheath status --cluster   the same, of every node
  sheath peers -o wide      the peers of this node, with keys and reasons
  sheath plan               what the agent would change now
  sheath agent --node-name n1 --encryption wireguard

'sheath COMMAND --help' has the flags and more examples.`;

/** Runs one command line (without `node` and the script) and returns the exit code; prints its errors itself. */
export async function main(argv: readonly string[], context: Context): Promise<ExitCode> {
  const called = calledCommand(argv);
  const program = createProgram(context, called);
  try {
    await addCommands(program, called, context);
    if (argv[0] === 'help' && called !== undefined) requireCommand(called);
    await program.parseAsync(argv[0] === '--version' ? ['version'] : argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return isHelp(error) ? EXIT.well : EXIT.usage;
    const { message, exitCode } = explain(error);
    context.err.write(`${painter(context.err)('bad', 'sheath:')} ${message}\n`);
    return exitCode;
  }
}

function createProgram(context: Context, called: string | undefined): Command {
  return new Command('sheath')
    .description('Keeps every packet between the nodes of a Kubernetes cluster encrypted.')
    .usage('COMMAND [flags]')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .addHelpText('after', EXAMPLES)
    .configureHelp(helpStyle)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.out.write(text),
      writeErr: (text) => void context.err.write(text),
      getOutHelpWidth: () => helpWidth(context.out.columns),
      getErrHelpWidth: () => helpWidth(context.err.columns),
      outputError: (text, write) => write(oneLine(text, called)),
    });
}

async function addCommands(program: Command, called: string | undefined, context: Context): Promise<void> {
  for (const entry of COMMANDS) {
    const command = program
      .command(entry.name)
      .summary(entry.summary)
      .description(sentence(entry))
      .usage('[flags]');
    if (entry.name === called) (await entry.load()).register(command, context);
  }
}

function requireCommand(name: string): void {
  if (!COMMANDS.some((entry) => entry.name === name))
    throw usageError(`unknown command '${name}'; see 'sheath --help'`);
}

/** `sheath X …` and `sheath help X` call X; flags before the command are the program's own and take no value. */
function calledCommand(argv: readonly string[]): string | undefined {
  const [first, second] = argv.filter((argument) => !argument.startsWith('-'));
  if (argv[0] === '--version') return 'version';
  return first === 'help' ? second : first;
}

function sentence(entry: CommandEntry): string {
  return `${entry.summary.charAt(0).toUpperCase()}${entry.summary.slice(1)}.`;
}

/** `error: unknown option '--nod'\n(Did you mean --node?)\n` as one line, with where to read on. */
function oneLine(text: string, called: string | undefined): string {
  const line = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*\(Did you mean (.*)\?\)$/, ' (did you mean $1?)')
    .replace(/\.$/, '');
  const help = COMMANDS.some(({ name }) => name === called) ? `sheath ${called} --help` : 'sheath --help';
  return `sheath: ${line}; see '${help}'\n`;
}

function isHelp(error: CommanderError): boolean {
  return error.code === 'commander.helpDisplayed' || error.exitCode === 0;
}

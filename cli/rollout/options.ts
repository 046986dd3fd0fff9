/** The flags that `enable`, `disable`, `rotate` and `uninstall` share. */
import { type Command, Option } from 'commander';
import { parseDuration } from '../../operator/config/values.ts';
import { usageError } from '../exit.ts';
import { type OutputOptions, outputOption } from '../format/output.ts';

export interface AccessFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface RolloutFlags extends AccessFlags, OutputOptions {
  readonly wait?: boolean;
  readonly timeout: string;
  readonly yes?: boolean;
}

function addAccessOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how to reach the API server')
    .option('--context <name>', 'which context of the kubeconfig');
}

/** `wait: false`: the command waits in any case. */
export function addRolloutOptions(command: Command, { wait = true }: { wait?: boolean } = {}): Command {
  const waiting = wait
    ? command.option('--wait', 'return when it is done, or say who is not and why')
    : command;
  return addAccessOptions(waiting)
    .addOption(new Option('--timeout <duration>', 'how long to wait at most').default('400s'))
    .option('-y, --yes', 'do not ask')
    .addOption(outputOption());
}

/** Milliseconds. @throws CliError `USAGE` */
export function timeoutOf({ timeout }: Pick<RolloutFlags, 'timeout'>): number {
  const milliseconds = parseDuration(timeout);
  if (milliseconds === undefined)
    throw usageError(`--timeout ${timeout}: expected a duration like 90s, 10m or 1h`);
  return milliseconds;
}

/** Exit codes, the same for every command. */
export const EXIT = {
  well: 0,
  /** Something is wrong in the mesh, or could not be done. */
  wrong: 1,
  usage: 2,
  /** The API server or the agent cannot be reached. */
  unreachable: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a command ends with when it cannot do what was asked. The message is one line and names the way out. */
export class CliError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(message: string, options: { code: string; exitCode: ExitCode; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.code = options.code;
    this.exitCode = options.exitCode;
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, { code: 'USAGE', exitCode: EXIT.usage });
}

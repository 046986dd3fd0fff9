import { CliError, EXIT, type ExitCode } from './exit.ts';
import { printable } from './format/table.ts';

/** Errors that do not bring an exit code of their own; what is not here is `EXIT.wrong`. */
const EXIT_OF_CODE: Readonly<Record<string, ExitCode>> = {
  API_UNREACHABLE: EXIT.unreachable,
  UNAUTHORIZED: EXIT.unreachable,
  SERVER_ERROR: EXIT.unreachable,
  ECONNREFUSED: EXIT.unreachable,
  ECONNRESET: EXIT.unreachable,
  ENOTFOUND: EXIT.unreachable,
  ETIMEDOUT: EXIT.unreachable,
  EHOSTUNREACH: EXIT.unreachable,
  ENETUNREACH: EXIT.unreachable,
  LAB_ABSENT: EXIT.usage,
  LAB_NAME_INVALID: EXIT.usage,
  LAB_NODE_UNKNOWN: EXIT.usage,
  LAB_KUBECONFIG_INVALID: EXIT.usage,
  LAB_API_SILENT: EXIT.unreachable,
};

/** One line for whoever typed the command, and the exit code that goes with it. */
export function explain(error: unknown): { message: string; exitCode: ExitCode } {
  if (error instanceof CliError) return { message: inOneLine(error.message), exitCode: error.exitCode };
  if (!(error instanceof Error)) return { message: inOneLine(String(error)), exitCode: EXIT.wrong };
  return { message: inOneLine(error.message), exitCode: ownExitCode(error) ?? exitCodeOf(errorCode(error)) };
}

function exitCodeOf(code: string | undefined): ExitCode {
  return (code === undefined ? undefined : EXIT_OF_CODE[code]) ?? EXIT.wrong;
}

/** Errors of `operator/` know their exit code themselves. */
function ownExitCode(error: Error): ExitCode | undefined {
  if (!('exitCode' in error)) return undefined;
  return Object.values(EXIT).find((code) => code !== EXIT.well && code === error.exitCode);
}

/** The `code` of an error or of the first of its causes that has one. */
export function errorCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return undefined;
}

/** Part of it may be an API server's, or a file's. */
function inOneLine(text: string): string {
  return printable(
    text
      .trim()
      .replace(/\s*\n\s*/g, '; ')
      .replaceAll('\t', ' '),
  );
}

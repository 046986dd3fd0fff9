/** Errors that end the program, or that a person has to act on: a stable code, a sentence that names the thing and the way out. */

export type OperatorErrorCode =
  | 'CONFIG_INVALID'
  | 'CONFIG_UNREADABLE'
  | 'NOT_IMPLEMENTED'
  | 'KUBECONFIG_INVALID'
  | 'KUBECONFIG_MISSING'
  | 'NODE_NAME_MISSING'
  | 'NODE_NOT_FOUND'
  | 'ALREADY_RUNNING'
  | 'STATE_DIR_UNREADABLE'
  | 'RUN_DIR_UNWRITABLE'
  | 'HTTP_LISTEN'
  | 'NOT_PERMITTED'
  | 'API_UNREACHABLE'
  | 'DATAPLANE';

export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: OperatorErrorCode;
  /** Exit code of the program: 1 something is wrong, 2 wrong usage, 3 API or agent out of reach. */
  readonly exitCode: 1 | 2 | 3;

  constructor(
    code: OperatorErrorCode,
    message: string,
    options: { cause?: unknown; exitCode?: 1 | 2 | 3 } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode ?? EXIT_CODES[code] ?? 1;
  }
}

const EXIT_CODES: { readonly [code in OperatorErrorCode]?: 1 | 2 | 3 } = {
  CONFIG_INVALID: 2,
  CONFIG_UNREADABLE: 2,
  NOT_IMPLEMENTED: 2,
  KUBECONFIG_INVALID: 2,
  KUBECONFIG_MISSING: 2,
  NODE_NAME_MISSING: 2,
  NODE_NOT_FOUND: 2,
  API_UNREACHABLE: 3,
};

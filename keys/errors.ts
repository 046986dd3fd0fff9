/** What a person has to look at before the agent may go on: a key is never replaced silently. */

export type KeyringErrorCode =
  | 'KEYRING_DIRECTORY_UNSAFE'
  | 'KEY_UNREADABLE'
  | 'KEY_UNSAFE'
  | 'KEY_DAMAGED'
  | 'KEY_MISSING'
  | 'KEY_NOT_WRITTEN';

export class KeyringError extends Error {
  override readonly name = 'KeyringError';
  readonly code: KeyringErrorCode;
  /** The file or folder it is about. */
  readonly path: string;

  constructor(
    code: KeyringErrorCode,
    path: string,
    options: { readonly message: string; readonly cause?: unknown },
  ) {
    super(`${path}: ${options.message}`, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.path = path;
  }
}

/** What can go wrong, under codes that stay. */

export type WireGuardErrorCode =
  /** No network device, or no UAPI socket, of that name. */
  | 'NO_SUCH_DEVICE'
  /** A device of that name exists, but it is no WireGuard device. */
  | 'NOT_WIREGUARD'
  /** CAP_NET_ADMIN is missing, or the UAPI socket belongs to another user. */
  | 'NOT_PERMITTED'
  /** Another socket listens on that UDP port. */
  | 'PORT_TAKEN'
  /** The kernel has no WireGuard, or does not know what was asked of it. */
  | 'NOT_SUPPORTED'
  /** A value that no WireGuard device accepts. */
  | 'INVALID'
  /** Text that is no key. */
  | 'INVALID_KEY'
  /** A line of configuration text that does not parse. */
  | 'INVALID_CONFIG'
  | 'NO_MEMORY'
  /** The device kept changing while it was read. */
  | 'BUSY'
  /** A daemon took too long to answer. */
  | 'TIMEOUT'
  /** The object was closed before the answer came. */
  | 'CLOSED'
  /** The answer cannot be understood, or is for somebody else. */
  | 'BAD_ANSWER'
  /** Any other error of the kernel; `errno` names it. */
  | 'SYSTEM';

export class WireGuardError extends Error {
  override readonly name: string = 'WireGuardError';
  readonly code: WireGuardErrorCode;
  /** `EADDRINUSE`, `ENODEV`, ... when the kernel or the UAPI gave one. */
  readonly errno?: string;

  constructor(code: WireGuardErrorCode, message: string, more: { errno?: string; cause?: unknown } = {}) {
    super(`${code} ${message}`, 'cause' in more ? { cause: more.cause } : undefined);
    this.code = code;
    if (more.errno !== undefined) this.errno = more.errno;
  }
}

/** Text or bytes that are no key. The message never repeats them: they may be a secret in the wrong place. */
export class KeyError extends WireGuardError {
  override readonly name = 'KeyError';

  constructor(what: string) {
    super('INVALID_KEY', what);
  }
}

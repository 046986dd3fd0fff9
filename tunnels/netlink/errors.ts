/** What the kernel answers when it refuses, by its errno's name. */
import { getSystemErrorName } from 'node:util';

/** One refused netlink request. `code` is the errno's name (`EEXIST`, `EPERM`, ...: errno(3)). */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  readonly code: string;

  /** @param options `message` where the kernel did not refuse. */
  constructor(code: string, options: ErrorOptions & { readonly message?: string } = {}) {
    super(options.message ?? `the kernel refused: ${code}`, options);
    this.code = code;
  }
}

/** @param errno as in `struct nlmsgerr`: negative. */
export function netlinkError(errno: number): NetlinkError {
  try {
    return new NetlinkError(getSystemErrorName(errno));
  } catch {
    return new NetlinkError(`errno ${-errno}`);
  }
}

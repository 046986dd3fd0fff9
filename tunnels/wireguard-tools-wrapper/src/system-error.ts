/** Errno names, of the kernel and of the UAPI socket alike, under our codes. */
import { WireGuardError, type WireGuardErrorCode } from './errors.ts';

const CODES: ReadonlyMap<string, readonly [WireGuardErrorCode, string]> = new Map([
  ['ENODEV', ['NO_SUCH_DEVICE', 'there is no such network device']],
  ['ENOENT', ['NO_SUCH_DEVICE', 'there is no such device']],
  ['ECONNREFUSED', ['NO_SUCH_DEVICE', 'nobody listens on its UAPI socket; it was left behind']],
  ['EPERM', ['NOT_PERMITTED', 'run as root or with CAP_NET_ADMIN']],
  ['EACCES', ['NOT_PERMITTED', 'run as the user the device belongs to, or as root']],
  ['EADDRINUSE', ['PORT_TAKEN', 'another socket listens on that UDP port; choose another one']],
  ['EOPNOTSUPP', ['NOT_SUPPORTED', 'the device does not know what was asked']],
  ['ENOTSUP', ['NOT_SUPPORTED', 'the device does not know what was asked']],
  ['EPROTONOSUPPORT', ['NOT_SUPPORTED', 'the kernel has no such protocol']],
  ['EINVAL', ['INVALID', 'the device refused a value']],
  ['ERANGE', ['INVALID', 'the device refused a value']],
  ['EPROTO', ['INVALID', 'the device did not understand the request']],
  ['ENAMETOOLONG', ['INVALID', 'the name is too long for a device']],
  ['EAFNOSUPPORT', ['NOT_SUPPORTED', 'the kernel lacks that address family']],
  ['ENOMEM', ['NO_MEMORY', 'the kernel is out of memory']],
  ['ENOBUFS', ['NO_MEMORY', 'the kernel is out of buffers']],
  ['EINTR', ['BUSY', 'it kept changing while it was read; try again']],
]);

/** @param verb what was tried, `reading` or `setting`. */
export function systemError(
  errno: string,
  { device, verb, cause }: { readonly device: string; readonly verb: string; readonly cause: unknown },
): WireGuardError {
  const [code, hint] = CODES.get(errno) ?? (['SYSTEM', 'unexpected'] as const);
  return new WireGuardError(code, `${verb} ${device}: ${hint} (${errno})`, { errno, cause });
}

/** What is in the way of IPsec on this node. */
import type { DeviceName } from '../../mesh/types.ts';
import type { DataplaneError } from '../dataplane.ts';
import { codeOf, refused } from '../failure.ts';

export type IpsecErrorCode =
  /** There is no program to run. */
  | 'CHARON_MISSING'
  /** It ended before it listened, or does not listen in time. */
  | 'CHARON_FAILED';

export class IpsecError extends Error {
  override readonly name = 'IpsecError';
  readonly code: IpsecErrorCode;

  constructor(code: IpsecErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** With the code that says what is the matter with charon. */
export function troubleOf(device: DeviceName, cause: unknown): DataplaneError {
  const error = refused('device', device, cause);
  return { ...error, code: codeOf(cause) ?? error.code };
}

/** What is in the way of IPsec on this node. */
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

/** What may go wrong between us and charon. */

export type ViciErrorCode =
  /** Nobody listens on the socket, or we may not connect. */
  | 'VICI_UNREACHABLE'
  /** The connection ended while an answer was awaited: charon stopped, or was restarted. */
  | 'VICI_LOST'
  /** No answer in time. */
  | 'VICI_TIMEOUT'
  /** Bytes that are no VICI. */
  | 'VICI_MALFORMED'
  /** Larger than the protocol allows, or a name or value longer than its length field. */
  | 'VICI_TOO_LARGE'
  /** This charon does not know the command or event: too old, or without the plugin. */
  | 'VICI_UNKNOWN'
  /** charon knows the command and refused it; the message ends with charon's own words. */
  | 'VICI_REFUSED'
  /** The client was closed. */
  | 'VICI_CLOSED';

export class ViciError extends Error {
  override readonly name = 'ViciError';
  readonly code: ViciErrorCode;

  constructor(code: ViciErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

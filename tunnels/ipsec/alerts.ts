/**
 * What charon's plugin error-notify tells: records of one size, `struct error_notify_msg_t` of
 * src/libcharon/plugins/error_notify/error_notify_msg.h. Pure.
 *
 *   type 4, network order | description 384 | connection 64 | identity 256 | address 60      (texts end with NUL)
 */
import type { IkeRefusal, IkeRefusalCode } from '../dataplane.ts';
import { claimsOf } from './connection.ts';

export const ALERT_SIZE = 768;
const AT = { DESCRIPTION: 4, CONNECTION: 388, IDENTITY: 452, ADDRESS: 708 } as const;

/** By charon's number. What is not here is no refusal: that it sends something again, or replaces what expired. */
const CODES: Readonly<Record<number, IkeRefusalCode>> = {
  2: 'IKE_OWN_KEY_REFUSED',
  3: 'IKE_PEER_UNPROVEN',
  4: 'IKE_MALFORMED',
  5: 'IKE_MALFORMED',
  6: 'IKE_NO_ANSWER',
  7: 'IKE_UNFINISHED',
  8: 'IKE_NO_COMMON_PROPOSAL',
  9: 'IKE_NO_COMMON_PROPOSAL',
  10: 'IKE_OTHER_SELECTORS',
  11: 'IKE_NOT_INSTALLED',
};

/** undefined: it is no refusal. @param record of `ALERT_SIZE` bytes */
export function refusalOf(record: Buffer): IkeRefusal | undefined {
  const code = CODES[record.readUInt32BE(0)];
  if (code === undefined) return undefined;
  const address = textAt(record, AT.ADDRESS, ALERT_SIZE);
  const claims = claimsOf(textAt(record, AT.IDENTITY, AT.ADDRESS));
  const message = textAt(record, AT.DESCRIPTION, AT.CONNECTION);
  return { code, message, ...(address === '' ? {} : { address }), ...claims };
}

function textAt(record: Buffer, from: number, to: number): string {
  const field = record.subarray(from, to);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? field.length : end);
}

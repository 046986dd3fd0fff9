/** The status of a Node that is refused whole, or that has published nothing yet. */
import type { Snapshot } from './status.ts';
import type { ProblemCode, Refusal } from './types.ts';

/** Of several reasons the one to look at first. */
const GRAVEST: readonly ProblemCode[] = [
  'KEY_OWN',
  'KEY_CLAIMED',
  'KEY_INVALID',
  'DRIVER_UNKNOWN',
  'ENDPOINT_OWN',
  'ENDPOINT_CLAIMED',
  'ENDPOINT_INVALID',
  'RECORD_TOO_LARGE',
  'RECORD_MALFORMED',
  'ENDPOINT_MISSING',
  'NO_COMMON_FAMILY',
  'NO_COMMON_GENERATION',
];

/** `unknown` when there is nothing yet to refuse: no key of a generation that we have too. */
export function refusedStatus(node: string, refusals: readonly Refusal[]): Snapshot {
  const code = GRAVEST.find((candidate) => refusals.some((refusal) => refusal.code === candidate));
  const gravest = refusals.find((refusal) => refusal.code === code) ?? refusals[0];
  const waits = refusals.every((refusal) => WAITING.has(refusal.code));
  return {
    node,
    state: waits ? 'unknown' : 'refused',
    receivedBytes: 0,
    sentBytes: 0,
    ...(gravest === undefined ? {} : { reason: { code: gravest.code, message: gravest.message } }),
  };
}

const WAITING: ReadonlySet<ProblemCode> = new Set(['NO_COMMON_GENERATION', 'ENDPOINT_MISSING']);

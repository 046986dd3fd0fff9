/** A start that a person must look at: it ends the program with one clear line, as long as nothing depends on it yet. */
import type { PeerStatus } from '../../mesh/types.ts';
import type { DataplaneError, Report } from '../../tunnels/dataplane.ts';
import { OperatorError } from '../errors.ts';

/** Undefined when the agent may go on. An agent that adopted living tunnels goes on whatever is wrong: it says so in its status. */
export function firstTurnFailure(
  report: Report,
  statuses: ReadonlyMap<string, PeerStatus>,
): OperatorError | undefined {
  if ([...statuses.values()].some((status) => status.state === 'routed' || status.state === 'degraded'))
    return undefined;
  const fatal = report.errors.filter(isFatal);
  if (fatal.length === 0) return undefined;
  const permitted = fatal.every((error) => error.code !== 'NOT_PERMITTED');
  const message = permitted
    ? fatal.map((error) => error.message).join('; ')
    : `the agent may not change the kernel's network: run it as root, or with the capability CAP_NET_ADMIN (${fatal[0]?.message})`;
  return new OperatorError(permitted ? 'DATAPLANE' : 'NOT_PERMITTED', message, { cause: fatal[0]?.cause });
}

function isFatal({ code }: DataplaneError): boolean {
  return code === 'NOT_PERMITTED' || code === 'PORT_TAKEN' || code.endsWith('_FOREIGN');
}

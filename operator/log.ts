/** The agent's log: one JSON line a decision, on standard output. */
import { type Logger, pino } from 'pino';

/** Characters that wait for a disk with room again; what comes after them is dropped. */
const BACKLOG = 64 * 1024;

/** A log that cannot be written is no reason to end, and nobody could be told: pino's own default never returns from its exit then. */
export function createLog(level: string, node: string): Logger {
  const destination = pino.destination({ fd: 1, sync: true, maxLength: BACKLOG });
  destination.on('error', () => {});
  return pino({ level, base: { node } }, destination);
}

/**
 * What a SIGTERM means. Ordinarily nothing: the agent ends, and tunnels and door stay as they are for the next one. But when the
 * resource is being deleted no next one may come, as after `kubectl delete -f`, and the rights to say anything may be gone too: then the
 * agent goes on until all is taken back, and takes back by itself what it could not in time. A door that stays shut with nobody behind it
 * is what must not be.
 */
import type { Logger } from 'pino';
import type { Dataplane } from '../../tunnels/dataplane.ts';
import { type Clock, pause, remaining } from '../clock.ts';
import { takeBack } from './take-back.ts';

/** Milliseconds in which all nodes together may go the orderly way; the manifests give a pod 60 s. */
export const PATIENCE = 40_000;
/** When nobody hears us any more, who could: in this time the others' doors open too, for they saw what we saw. */
export const ALONE = 10_000;
/** Milliseconds for what is left then. */
const LAST = 12_000;
/** With whom all is deleted at once, the signal may come before the news that the resource goes; milliseconds that a shut door waits for it. */
export const NEWS = 3_000;
const LOOK = 200;

export interface Leaving {
  /** Whether all is to go, for good. */
  readonly leaving: () => boolean;
  /** Whether the kernel has nothing of ours any more. */
  readonly off: () => boolean;
  /** Whether the door is shut. */
  readonly shut: () => boolean;
  /** Whether the API server takes nothing from us any more. */
  readonly muted: () => boolean;
  readonly dataplane: Dataplane;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Aborts when the agent is to end: with `signal`, or later when all goes. */
export function farewell(
  signal: AbortSignal,
  { leaving, off, shut, muted, clock, log }: Leaving,
): AbortSignal {
  const ending = new AbortController();
  const end = async (): Promise<void> => {
    const since = clock.now();
    while (shut() && !leaving() && remaining(since, NEWS, clock.now()) > 0) await pause(clock, LOOK);
    if (leaving() && !off())
      log.info({ event: 'leave' }, 'the resource is being deleted: the agent takes everything back first');
    const patience = () => remaining(since, muted() ? ALONE : PATIENCE, clock.now());
    while (leaving() && !off() && patience() > 0) await pause(clock, LOOK);
    ending.abort(signal.reason);
  };
  if (signal.aborted) void end();
  else signal.addEventListener('abort', () => void end(), { once: true });
  return ending.signal;
}

/** After the agent ended. @returns whether nothing is left of us */
export async function lastRites({ leaving, dataplane, clock, log }: Leaving): Promise<boolean> {
  if (!leaving()) return false;
  const limit = new AbortController();
  const callOff = clock.after(LAST, () => limit.abort());
  try {
    const { errors, done } = await takeBack(dataplane, { clock, signal: limit.signal });
    for (const error of errors) log.error({ event: 'leave', code: error.code }, error.message);
    return done;
  } catch (error) {
    log.error({ event: 'leave', err: error }, "not all was taken back; 'sheath cleanup' does it");
    return false;
  } finally {
    callOff();
  }
}

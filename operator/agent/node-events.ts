/**
 * What is wrong with this node, as Events on its Node: for who asks `kubectl describe node`. What is wrong with a peer is not among them:
 * thousands of agents would all tell of one.
 */
import type { Clock } from '../clock.ts';
import type { EventWriter } from '../kube/events.ts';
import type { ProblemFacts, ProblemLog } from './problems.ts';

export interface NodeEventsOptions {
  /** Hears of every problem too. */
  readonly log: ProblemLog;
  readonly events: Pick<EventWriter, 'say'>;
  /** Our own Node; undefined while it is not known. */
  readonly own: () => { readonly name: string; readonly uid: string } | undefined;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Milliseconds until a problem is told, and a share of as many more: an invalid resource is every agent's problem at the same moment. */
const AFTER = 5_000;
const SPREAD = 25_000;

/** Who cannot reach the API server cannot tell it so. */
const OF_THE_WAY: readonly string[] = ['API_UNREACHABLE', 'SERVER_ERROR', 'TOO_MANY_REQUESTS', 'GONE'];

/** Told of one by `Problems`. */
export function tellingOnNode(options: NodeEventsOptions): ProblemLog {
  const { log, events, own, clock, random } = options;
  return {
    info: (facts, message) => log.info(facts, message),
    warn(facts, message) {
      log.warn(facts, message);
      const { code, peer } = facts as { readonly code?: ProblemFacts['code']; readonly peer?: string };
      if (code === undefined || peer !== undefined || OF_THE_WAY.includes(code)) return;
      clock.after(AFTER + random() * SPREAD, () => {
        const node = own();
        if (node === undefined) return;
        const about = { apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid };
        events.say({ about, type: 'Warning', reason: camelCase(code), message });
      });
    },
  };
}

/** `CONFIG_INVALID` is `ConfigInvalid`. */
function camelCase(code: string): string {
  return code
    .split('_')
    .map((word) => `${word.charAt(0)}${word.slice(1).toLowerCase()}`)
    .join('');
}

/** Whom a step waits for, and the sentence that says so. */
import { type Choice, lists } from './driver-choice.ts';
import type { LifecycleInput, Waiting } from './lifecycle-types.ts';
import type { NodeRecord, PeerStatus } from './types.ts';

interface Seen extends Pick<LifecycleInput, 'statuses'> {
  readonly others: readonly NodeRecord[];
}

/** Whether a route of ours leads to it, through a tunnel. */
export function hasRoute(status: PeerStatus | undefined): boolean {
  return status?.state === 'routed' || status?.state === 'degraded';
}

const PASS_OVER = 'if it is gone for good, delete its Node, or name it in spec.rotation.passOver';

/** Peers to which our route is still on `old`. One of which nothing is known yet counts: after a start, its route is still in the kernel. */
export function onOld({ others, statuses }: Seen, old: Choice, next: Choice): readonly Waiting[] {
  return others.flatMap((record): Waiting[] => {
    if (!lists(record, old)) return [];
    const status = statuses.get(record.name);
    const moved =
      status !== undefined &&
      !(status.state === 'established' || (hasRoute(status) && status.generation === old.number));
    if (moved) return [];
    if (!lists(record, next)) return [withoutNext(record, old, next)];
    const { name: node } = record;
    const message = `our route to ${node} is still on generation ${old.number}: no handshake on ${next.number} yet; ${REACH[next.driver]} ${PASS_OVER}`;
    return [{ node, code: 'NOT_ROUTED', message }];
  });
}

const REACH = {
  wireguard: 'does UDP reach its new port?',
  ipsec: 'do UDP 500, UDP 4500 and ESP (IP protocol 50) reach it?',
} as const;

function withoutNext(record: NodeRecord, old: Choice, { number, driver }: Choice): Waiting {
  const { name: node, agent } = record;
  const why = agent?.cannot.find((text) => text.startsWith(`${driver}: `));
  if (why === undefined) {
    const message = `${node} has not published generation ${number} yet; is its agent running? ${PASS_OVER}`;
    return { node, code: 'OLD_GENERATION', message };
  }
  const message = `${node} stays on generation ${old.number}, and our route to it, encrypted: it cannot do ${why}; ${PASS_OVER}`;
  return { node, code: 'UNABLE', message };
}

/** Nodes that may still send on `old`; what they mean by that number may have another driver, and comes to none of ours. */
export function notSwitched(others: readonly NodeRecord[], old: Choice): readonly Waiting[] {
  const meansAnother = ({ generations }: NodeRecord) =>
    generations.some(({ number, driver }) => number === old.number && driver !== old.driver);
  return others
    .filter((record) => record.sending.includes(old.number) && !meansAnother(record))
    .map(({ name: node }) => ({
      node,
      code: 'NOT_SWITCHED',
      message: `${node} may still send on generation ${old.number}; see sheath status there; ${PASS_OVER}`,
    }));
}

/** Peers towards which we may still send in clear. */
export function notRouted({ others, statuses }: Seen, clear: ReadonlySet<string>): readonly Waiting[] {
  return others
    .filter(({ uid }) => clear.has(uid))
    .map(({ name: node }) => {
      const reason = statuses.get(node)?.reason?.message ?? 'nothing is known of it yet';
      return { node, code: 'NOT_ROUTED', message: `${node} is still sent to in clear: ${reason}` };
    });
}

/**
 * Nodes that drop what comes to them in clear; or may do so, for what is known of them is older than our own open door, and that was shut.
 * @param openedBy the resource's generation that opened it; 0: it was not shut
 */
export function doorsShut(others: readonly NodeRecord[], openedBy: number): readonly Waiting[] {
  return others
    .filter(({ agent }) => agent?.mode === 'strict' || (agent?.observedGeneration ?? openedBy) < openedBy)
    .map(({ name: node }) => ({
      node,
      code: 'DOOR_SHUT',
      message: `${node} still drops what comes in clear, or has not said yet that it does not: our traffic to it stays in the tunnel; is its agent running, and is encryption to go there too? ${PASS_OVER}`,
    }));
}

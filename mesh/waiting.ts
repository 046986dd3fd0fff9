/** Whom a step waits for, and the sentence that says so. */
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
export function onOld({ others, statuses }: Seen, old: number, next: number): readonly Waiting[] {
  return others.flatMap((record): Waiting[] => {
    const lists = (number: number) => record.generations.some((one) => one.number === number);
    if (!lists(old)) return [];
    const status = statuses.get(record.name);
    const moved =
      status !== undefined &&
      !(status.state === 'established' || (hasRoute(status) && status.generation === old));
    if (moved) return [];
    const { name: node } = record;
    if (!lists(next)) {
      const message = `${node} has not published generation ${next} yet; is its agent running? ${PASS_OVER}`;
      return [{ node, code: 'OLD_GENERATION', message }];
    }
    const message = `our route to ${node} is still on generation ${old}: no handshake on ${next} yet; does UDP reach its new port? ${PASS_OVER}`;
    return [{ node, code: 'NOT_ROUTED', message }];
  });
}

/** Nodes that may still send on `old`. */
export function notSwitched(others: readonly NodeRecord[], old: number): readonly Waiting[] {
  return others
    .filter(({ sending }) => sending.includes(old))
    .map(({ name: node }) => ({
      node,
      code: 'NOT_SWITCHED',
      message: `${node} may still send on generation ${old}; see sheath status there; ${PASS_OVER}`,
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

/** Nodes that drop what comes to them in clear. */
export function doorsShut(others: readonly NodeRecord[]): readonly Waiting[] {
  return others
    .filter(({ agent }) => agent?.mode === 'strict')
    .map(({ name: node }) => ({
      node,
      code: 'DOOR_SHUT',
      message: `${node} still drops what comes in clear: our traffic to it stays in the tunnel; is its agent running, and is encryption to go there too? ${PASS_OVER}`,
    }));
}

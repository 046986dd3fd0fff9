/**
 * How far a cluster is on its way, told by the records alone: for the controller, and for whoever waits at a terminal. No agent is asked.
 */
import type { Generation } from '../keys/generation.ts';
import type { NodeRecord } from './types.ts';

/** A node that does not do what is wanted of it, and what to do about it. */
export interface Straggler {
  readonly node: string;
  /** Never by itself: somebody has to do something. */
  readonly stuck: boolean;
  readonly reason: string;
}

export type Driver = Generation['driver'];

/** What is read of a record here; a `NodeRecord` is one. */
export type ProgressRecord = Pick<NodeRecord, 'name' | 'sending' | 'agent'> & {
  readonly generations: readonly Pick<Generation, 'number' | 'driver'>[];
};

/** A Node as it is judged here. */
export interface NodeOnItsWay {
  readonly record: ProgressRecord;
  /** The label `kubernetes.io/os`. */
  readonly os?: string | undefined;
}

/** Why this node cannot take part; undefined when nothing speaks against it. */
export function unable({ record, os }: NodeOnItsWay, driver: Driver): Straggler | undefined {
  const { name: node, agent } = record;
  if (os !== undefined && os !== 'linux')
    return {
      node,
      stuck: true,
      reason: `runs ${os}, where there is no agent: leave it out with spec.nodeSelector`,
    };
  if (agent === undefined)
    return {
      node,
      stuck: false,
      reason: `no agent says anything there: see that one runs (kubectl -n sheath-system get pods -o wide)`,
    };
  const cannot = cannotDo(record, driver);
  return cannot === undefined ? undefined : { node, stuck: true, reason: `cannot do ${cannot}` };
}

/** `ipsec: no charon; ...`, as its agent says. */
export function cannotDo({ agent }: ProgressRecord, driver: Driver): string | undefined {
  return agent?.cannot.find((text) => text.startsWith(`${driver}: `));
}

/**
 * Why this node does not count as encrypted, by whichever driver; undefined when it does: it has keys, and sends nothing in clear.
 * @param encryption what it is to have, if it has no keys yet
 */
export function notEncrypted(node: NodeOnItsWay, encryption: Driver): Straggler | undefined {
  const { record } = node;
  if (record.generations.length === 0)
    return unable(node, encryption) ?? waits(record, 'its agent has published no key yet');
  if (!record.sending.includes(0) && record.sending.length > 0) return undefined;
  return waits(
    record,
    `still sends in clear to peers that it has no handshake with: see 'sheath peers --cluster ${record.name}'`,
  );
}

/** Why this node still takes part; undefined when it does not any more. */
export function notOff({ record }: NodeOnItsWay): Straggler | undefined {
  if (record.generations.length > 0)
    return waits(record, 'still holds keys: it waits until every door is open and all is silent');
  return record.agent?.mode === 'strict' ? waits(record, 'its door is still shut') : undefined;
}

/** Why its door is not as wanted; undefined when it is. */
export function notInMode({ record }: NodeOnItsWay, mode: 'strict' | 'permissive'): Straggler | undefined {
  if (record.agent === undefined) return waits(record, 'no agent says anything there');
  if (record.agent.mode === mode) return undefined;
  return waits(record, mode === 'strict' ? 'has not shut its door yet' : 'has not opened its door yet');
}

export function waits({ name: node }: Pick<ProgressRecord, 'name'>, reason: string): Straggler {
  return { node, stuck: false, reason };
}

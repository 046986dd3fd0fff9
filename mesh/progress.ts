/**
 * How far a cluster is on its way, told by the records alone: for the controller, and for whoever waits at a terminal. No agent is asked.
 */
import type { NodeRecord } from './types.ts';

/** A node that does not do what is wanted of it, and what to do about it. */
export interface Straggler {
  readonly node: string;
  /** Never by itself: somebody has to do something. */
  readonly stuck: boolean;
  readonly reason: string;
}

/** What is read of a record here; a `NodeRecord` is one. */
export type ProgressRecord = Pick<NodeRecord, 'name' | 'sending' | 'agent'> & {
  readonly generations: readonly { readonly number: number }[];
};

/** A Node as it is judged here. */
export interface NodeOnItsWay {
  readonly record: ProgressRecord;
  /** The label `kubernetes.io/os`. */
  readonly os?: string | undefined;
}

/** Why this node cannot take part; undefined when nothing speaks against it. */
export function unable({ record, os }: NodeOnItsWay, driver: 'wireguard' | 'ipsec'): Straggler | undefined {
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
  const cannot = agent.cannot.find((text) => text.startsWith(`${driver}: `));
  return cannot === undefined ? undefined : { node, stuck: true, reason: `cannot do ${cannot}` };
}

/** Why this node does not count as encrypted; undefined when it does: it has keys, and sends nothing in clear. */
export function notEncrypted(node: NodeOnItsWay, encryption: 'wireguard' | 'ipsec'): Straggler | undefined {
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

export interface Rotation {
  readonly from: number;
  readonly to: number;
  /** Nodes that have keys. */
  readonly total: number;
  /** Of these: that published the new key, that sent their last packet on an older one, that withdrew all older ones. */
  readonly published: number;
  readonly switched: number;
  readonly withdrawn: number;
  /** Who is behind, sorted: those first that the others wait for. */
  readonly stragglers: readonly Straggler[];
}

export interface RotationInput {
  readonly records: readonly ProgressRecord[];
  /** `spec.generation`; undefined: not said. */
  readonly wanted: number | undefined;
  /** Names of Nodes that nobody waits for. */
  readonly passOver?: readonly string[];
}

/** Undefined while nothing rotates: every node with keys has one, of the same generation, and none newer is wanted. */
export function rotation({ records, wanted, passOver = [] }: RotationInput): Rotation | undefined {
  const holders = records.filter(({ generations }) => generations.length > 0);
  if (holders.length === 0) return undefined;
  const to = Math.max(wanted ?? 0, newestOfMost(holders));
  const steps = holders.map((record) => ({ record, step: stepOf(record, to) }));
  const counted = steps.filter(({ record }) => !passOver.includes(record.name));
  const last = counted.find(({ step }) => step === 'behind')?.record.name;
  if (counted.every(({ step }) => step === 'withdrawn')) return undefined;
  const atLeast = (...wantedSteps: readonly Step[]) =>
    steps.filter(({ step }) => wantedSteps.includes(step)).length;
  const older = holders
    .flatMap((record) => record.generations.map(({ number }) => number))
    .filter((n) => n < to);
  return {
    from: Math.min(to - 1, ...older),
    to,
    total: holders.length,
    published: atLeast('published', 'switched', 'withdrawn'),
    switched: atLeast('switched', 'withdrawn'),
    withdrawn: atLeast('withdrawn'),
    stragglers: counted
      .toSorted((a, b) => ORDER.indexOf(a.step) - ORDER.indexOf(b.step))
      .flatMap(({ record, step }) => (step === 'withdrawn' ? [] : [behind(record, step, { to, last })])),
  };
}

/**
 * The newest that more than half of the nodes list, else the newest of those listed most; where each lists another, the oldest: one
 * node's word moves nobody.
 */
function newestOfMost(holders: readonly ProgressRecord[]): number {
  const counts = new Map<number, number>();
  for (const { generations } of holders)
    for (const { number } of generations) counts.set(number, (counts.get(number) ?? 0) + 1);
  const most = Math.max(...counts.values());
  if (most === 1 && holders.length > 1) return Math.min(...counts.keys());
  return Math.max(
    ...[...counts].flatMap(([number, times]) =>
      times === most || times * 2 > holders.length ? [number] : [],
    ),
  );
}

type Step = 'behind' | 'published' | 'switched' | 'withdrawn';
const ORDER: readonly Step[] = ['behind', 'published', 'switched', 'withdrawn'];

function stepOf({ generations, sending }: ProgressRecord, to: number): Step {
  if (!generations.some(({ number }) => number >= to)) return 'behind';
  if (sending.some((number) => number > 0 && number < to)) return 'published';
  return generations.some(({ number }) => number < to) ? 'switched' : 'withdrawn';
}

/** `last`: one that has no key of `to` yet, and so gets what is sent to it on an older one. */
function behind(
  record: ProgressRecord,
  step: Step,
  { to, last }: { readonly to: number; readonly last: string | undefined },
): Straggler {
  const { name } = record;
  if (step === 'behind')
    return waits(record, `has no key of generation ${to} yet: is ${name} up, and its agent running?`);
  if (step === 'published')
    return waits(
      record,
      last === undefined
        ? `still sends on an older generation: a peer has not answered on ${to} yet; see 'sheath peers --cluster ${name}'`
        : `still sends on an older generation: ${last} has no key of ${to} yet`,
    );
  return waits(record, 'keeps the older key until nobody sends on it and it has been silent');
}

function waits({ name: node }: ProgressRecord, reason: string): Straggler {
  return { node, stuck: false, reason };
}

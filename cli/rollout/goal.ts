/** What a rollout waits for, judged from what Nodes published. Pure. */
import { type Driver, notEncrypted, notInMode, notOff, type Straggler, unable } from '../../mesh/progress.ts';
import { type Rotation, rotation } from '../../mesh/rotation-progress.ts';
import { type RolloutNode, type Snapshot, selected } from './cluster.ts';

export type Goal =
  /** Every node has keys and sends nothing in clear. */
  | { readonly kind: 'encrypted' }
  /** Every door is shut. */
  | { readonly kind: 'strict' }
  /** No node holds keys, and every door is open. */
  | { readonly kind: 'off' }
  /** All are on this generation, and the older ones are withdrawn. */
  | {
      readonly kind: 'rotated';
      readonly generation: number;
      /** What it is made with, where that is what is waited for. */
      readonly driver?: Driver;
    };

export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Who is not there yet. */
  readonly stragglers: readonly Straggler[];
  readonly rotation?: Rotation;
}

export interface JudgeOptions {
  /** Nodes that are able to take part only; a rotation is done when they have a key of the new generation. */
  readonly ableOnly: boolean;
}

export function judge(snapshot: Snapshot, goal: Goal, { ableOnly }: JudgeOptions): Progress {
  const driver = snapshot.mesh?.spec.encryption === 'ipsec' ? 'ipsec' : 'wireguard';
  const passOver = snapshot.mesh?.spec.rotation?.passOver ?? [];
  const all = (goal.kind === 'off' ? snapshot.nodes : selected(snapshot)).filter(
    ({ name }) => !passOver.includes(name),
  );
  if (goal.kind === 'rotated') {
    const progress = judgeRotation(snapshot, all, { ...goal, ableOnly });
    // Who lost its keys on the way to another driver has not arrived.
    const isOver = goal.driver !== undefined && progress.rotation === undefined;
    return isOver ? judge(snapshot, { kind: 'encrypted' }, { ableOnly }) : progress;
  }
  // Who has keys takes part already, with whichever driver.
  const nodes = all.filter(
    (node) => !ableOnly || node.record.generations.length > 0 || unable(node, driver)?.stuck !== true,
  );
  const wanted = snapshot.mesh?.metadata.generation ?? 0;
  const judged = nodes.map((node) => behind(node, wanted) ?? judgeNode(node, goal.kind, driver));
  const stragglers = judged.filter((straggler) => straggler !== undefined);
  return { done: nodes.length - stragglers.length, total: nodes.length, stragglers };
}

function judgeNode(
  node: RolloutNode,
  kind: Exclude<Goal['kind'], 'rotated'>,
  driver: Driver,
): Straggler | undefined {
  if (kind === 'off') return notOff(node);
  return notEncrypted(node, driver) ?? (kind === 'strict' ? notInMode(node, 'strict') : undefined);
}

/** Its agent acts on an older spec than was written. */
function behind({ name: node, record }: RolloutNode, wanted: number): Straggler | undefined {
  const observed = record.agent?.observedGeneration;
  if (observed === undefined || observed >= wanted) return undefined;
  const refused = record.agent?.cannot.find((text) => text.startsWith('config: '));
  if (refused !== undefined) return { node, stuck: true, reason: `cannot do ${refused}` };
  return {
    node,
    stuck: false,
    reason: `its agent has not taken in the change yet: is ${node} up, and its agent running?`,
  };
}

function judgeRotation(
  { mesh }: Snapshot,
  nodes: readonly RolloutNode[],
  { generation, ableOnly }: Extract<Goal, { kind: 'rotated' }> & JudgeOptions,
): Progress {
  const { generation: wished = 0, encryption = 'none' } = mesh?.spec ?? {};
  const found = rotation({
    records: nodes.map(({ record }) => record),
    wanted: Math.max(generation, wished),
    ...(encryption === 'none' ? {} : { driver: encryption }),
  });
  const total = nodes.filter(({ record }) => record.generations.length > 0).length;
  if (found === undefined) return { done: total, total, stragglers: [] };
  if (ableOnly && found.partial) return { done: found.published, total, stragglers: [], rotation: found };
  return { done: found.withdrawn, total, stragglers: found.stragglers, rotation: found };
}

/** Who cannot take part, or says nothing: to be looked at before anything is changed. */
export function preflight(snapshot: Snapshot, driver: Driver, strict: boolean): readonly Straggler[] {
  return selected(snapshot).flatMap((node) => {
    // Who has keys of it already is told of where it stands, and keeps nobody from changing something else.
    const has = node.record.generations.at(-1)?.driver === driver;
    const found = has ? undefined : unable(node, driver);
    if (found !== undefined) return [found];
    const door = strict ? node.record.agent?.cannot.find((text) => text.startsWith('strict: ')) : undefined;
    return door === undefined ? [] : [{ node: node.name, stuck: true, reason: `cannot do ${door}` }];
  });
}

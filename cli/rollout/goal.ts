/** What a rollout waits for, judged from what Nodes published. Pure. */
import {
  notEncrypted,
  notInMode,
  notOff,
  type Rotation,
  rotation,
  type Straggler,
  unable,
} from '../../mesh/progress.ts';
import { type RolloutNode, type Snapshot, selected } from './cluster.ts';

export type Goal =
  /** Every node has keys and sends nothing in clear. */
  | { readonly kind: 'encrypted' }
  /** Every door is shut. */
  | { readonly kind: 'strict' }
  /** No node holds keys, and every door is open. */
  | { readonly kind: 'off' }
  /** All are on this generation, and the older ones are withdrawn. */
  | { readonly kind: 'rotated'; readonly generation: number };

export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Who is not there yet. */
  readonly stragglers: readonly Straggler[];
  readonly rotation?: Rotation;
}

export interface JudgeOptions {
  /** Nodes that are able to take part only. */
  readonly ableOnly: boolean;
}

export function judge(snapshot: Snapshot, goal: Goal, { ableOnly }: JudgeOptions): Progress {
  const driver = snapshot.mesh?.spec.encryption === 'ipsec' ? 'ipsec' : 'wireguard';
  const passOver = snapshot.mesh?.spec.rotation?.passOver ?? [];
  const all = goal.kind === 'off' ? snapshot.nodes : selected(snapshot);
  const nodes = all.filter(
    (node) => !passOver.includes(node.name) && !(ableOnly && unable(node, driver)?.stuck === true),
  );
  if (goal.kind === 'rotated') return judgeRotation(snapshot, nodes, goal.generation);
  const wanted = snapshot.mesh?.metadata.generation ?? 0;
  const judged = nodes.map((node) => behind(node, wanted) ?? judgeNode(node, goal.kind, driver));
  const stragglers = judged.filter((straggler) => straggler !== undefined);
  return { done: nodes.length - stragglers.length, total: nodes.length, stragglers };
}

function judgeNode(
  node: RolloutNode,
  kind: Exclude<Goal['kind'], 'rotated'>,
  driver: 'wireguard' | 'ipsec',
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

function judgeRotation({ mesh }: Snapshot, nodes: readonly RolloutNode[], generation: number): Progress {
  const found = rotation({
    records: nodes.map(({ record }) => record),
    wanted: Math.max(generation, mesh?.spec.generation ?? 0),
  });
  const total = nodes.filter(({ record }) => record.generations.length > 0).length;
  if (found === undefined) return { done: total, total, stragglers: [] };
  return { done: found.withdrawn, total, stragglers: found.stragglers, rotation: found };
}

/** Who cannot take part, or says nothing: to be looked at before anything is changed. */
export function preflight(
  snapshot: Snapshot,
  driver: 'wireguard' | 'ipsec',
  strict: boolean,
): readonly Straggler[] {
  return selected(snapshot).flatMap((node) => {
    const found = unable(node, driver);
    if (found !== undefined) return [found];
    const door = strict ? node.record.agent?.cannot.find((text) => text.startsWith('strict: ')) : undefined;
    return door === undefined ? [] : [{ node: node.name, stuck: true, reason: `cannot do ${door}` }];
  });
}

/** What the status is judged by, from the resource and what the nodes published. */
import { type Driver, notEncrypted, notInMode, notOff, type Straggler } from '../../mesh/progress.ts';
import { driverOf as driverOfGeneration, type Rotation, rotation } from '../../mesh/rotation-progress.ts';
import type { Mode } from '../../mesh/types.ts';
import type { MeshStatus, NodeReason, RotationStatus } from '../config/resource.ts';
import { selects } from '../config/selector.ts';
import type { SeenMesh } from './mesh.ts';
import type { ClusterNode } from './node.ts';

export interface StatusInput {
  readonly mesh: SeenMesh;
  /** All Nodes, sorted by name. */
  readonly nodes: readonly ClusterNode[];
  /** What was said last. */
  readonly previous: MeshStatus | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What the conditions are judged by. */
export interface Facts extends StatusInput {
  readonly total: number;
  readonly encrypted: number;
  /** Who is not as wished: not encrypted, or with `none` not off yet. */
  readonly waiting: readonly Straggler[];
  /** Encrypted, with another door than wished. */
  readonly doors: readonly Straggler[];
  readonly rotation: Rotation | undefined;
  readonly rotationStatus: RotationStatus | undefined;
  /** In force: the newest that all who are encrypted send on. */
  readonly generation: number | undefined;
  /** Of that generation. */
  readonly driver: Driver | undefined;
  /** The newest generation that several nodes hold, or the only one that has keys: one node's word moves nobody. */
  readonly held: number | undefined;
  /** Who holds a generation beyond that and beyond what is wished. */
  readonly ahead: readonly Straggler[];
  /** Who is well again, and whom nobody waits for all the same. */
  readonly forgotten: readonly string[];
}

/** How many are named. */
const NAMED = 20;

export function factsOf(input: StatusInput): Facts {
  const { mesh, nodes } = input;
  const driver = driverOf(mesh);
  const members = membersOf(mesh, nodes);
  const encrypted = encryptedNodes(input);
  const wants = (node: ClusterNode) => (driver === 'none' ? notOff(node) : notEncrypted(node, driver));
  const selected = new Set(driver === 'none' ? nodes : members);
  const waiting = nodes.flatMap((node) => (selected.has(node) ? wants(node) : leaving(node)) ?? []);
  const holders = driver === 'none' ? [] : holdersOf(mesh, members);
  const records = holders.map(({ record }) => record);
  const wanted = mesh.wish.generation;
  const found = rotation({ records, wanted, ...(driver === 'none' ? {} : { driver }) });
  const generation = driver === 'none' ? undefined : commonGeneration(holdersOf(mesh, encrypted));
  const mode = mesh.wish.mode ?? 'permissive';
  return {
    ...input,
    total: members.length,
    encrypted: encrypted.length,
    waiting,
    doors: driver === 'none' ? [] : encrypted.flatMap((node) => wrongDoor(node, mode) ?? []),
    rotation: found,
    rotationStatus: found === undefined ? undefined : rotationStatus(found, input),
    generation,
    driver: generation === undefined ? undefined : driverOfGeneration(records, generation),
    held: newestHeld(holders),
    ahead: aheadOf(holders, Math.max(wanted ?? 1, newestHeld(holders) ?? 0)),
    forgotten: found === undefined && generation !== undefined ? forgotten(mesh, members, generation) : [],
  };
}

/** Nodes that take part. */
export function membersOf({ wish }: SeenMesh, nodes: readonly ClusterNode[]): readonly ClusterNode[] {
  const selector = wish.nodeSelector ?? {};
  return nodes.filter(({ labels }) => selects(selector, labels));
}

export function driverOf({ wish }: SeenMesh): 'none' | 'wireguard' | 'ipsec' {
  return wish.encryption ?? 'none';
}

/** Nodes with keys that are waited for. */
export function holdersOf({ wish }: SeenMesh, members: readonly ClusterNode[]): readonly ClusterNode[] {
  const passOver = wish.rotation?.passOver ?? [];
  return members.filter(({ name, record }) => record.generations.length > 0 && !passOver.includes(name));
}

export function rfc3339(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Nodes that count as encrypted, by name. */
export function encryptedNodes({ mesh, nodes }: Pick<StatusInput, 'mesh' | 'nodes'>): readonly ClusterNode[] {
  const driver = driverOf(mesh);
  if (driver === 'none') return nodes.filter(({ record }) => record.generations.length > 0);
  return membersOf(mesh, nodes).filter((node) => notEncrypted(node, driver) === undefined);
}

/**
 * Its agent acts on the spec that passes it over, so it lives; and it sends on what all others do.
 */
function forgotten(
  { wish, metadata }: SeenMesh,
  members: readonly ClusterNode[],
  generation: number,
): readonly string[] {
  const passOver = wish.rotation?.passOver ?? [];
  return members
    .filter(
      ({ name, record: { sending, agent } }) =>
        passOver.includes(name) &&
        sending.length === 1 &&
        sending[0] === generation &&
        (agent?.observedGeneration ?? 0) >= (metadata.generation ?? 1),
    )
    .map(({ name }) => name);
}

/** Who does not say has an open one: agents that know of doors say so. */
function wrongDoor({ record }: ClusterNode, mode: Mode): Straggler | undefined {
  return mode === 'permissive' && record.agent?.mode === undefined ? undefined : notInMode({ record }, mode);
}

/** A node that the selector left out and that has not gone yet. */
function leaving(node: ClusterNode): Straggler | undefined {
  const still = notOff(node);
  return still === undefined
    ? undefined
    : { ...still, reason: `is not selected by spec.nodeSelector, and ${still.reason}` };
}

function rotationStatus(found: Rotation, { previous, now }: StatusInput): RotationStatus {
  const { from, to, fromDriver, toDriver, total, published, switched, withdrawn, stragglers } = found;
  const before = previous?.rotation;
  return {
    from,
    to,
    ...(fromDriver === undefined ? {} : { fromDriver }),
    ...(toDriver === undefined ? {} : { toDriver }),
    startedAt: before?.to === to ? before.startedAt : rfc3339(now),
    published,
    switched,
    withdrawn,
    total,
    waiting: named(stragglers),
  };
}

/** The newest that all of these send on. */
function commonGeneration(encrypted: readonly ClusterNode[]): number | undefined {
  const [first, ...rest] = new Set(encrypted.map(({ record }) => record.sending));
  const common = first?.filter((number) => rest.every((sending) => sending.includes(number))) ?? [];
  return common.at(-1);
}

function newestHeld(holders: readonly ClusterNode[]): number | undefined {
  const numbers = holders.flatMap(({ record }) => record.generations.map(({ number }) => number));
  const shared = numbers.filter((number, at) => holders.length === 1 || numbers.indexOf(number) !== at);
  return shared.length === 0 ? undefined : Math.max(...shared);
}

function aheadOf(holders: readonly ClusterNode[], newest: number): readonly Straggler[] {
  return holders.flatMap(({ name: node, record }) => {
    const { number } = record.generations.at(-1) ?? { number: 0 };
    const reason = `holds generation ${number}, which nobody wished and no other node has: until it comes back no rotation is scheduled; see to its agent, delete its Node, or name it in spec.rotation.passOver`;
    return number > newest ? [{ node, stuck: false, reason }] : [];
  });
}

export function named(stragglers: readonly Straggler[]): readonly NodeReason[] {
  return stragglers.slice(0, NAMED).map(({ node, reason }) => ({ node, reason }));
}

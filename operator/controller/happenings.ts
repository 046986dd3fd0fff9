/** What is worth an Event, from what was said before and what is said now. */
import { notEncrypted, notOff } from '../../mesh/progress.ts';
import { wayOf } from '../../mesh/rotation-progress.ts';
import { type Condition, GROUP, type MeshStatus, RESOURCE_NAME, VERSION } from '../config/resource.ts';
import type { EventAbout, SaidEvent } from '../kube/events.ts';
import { conditionOf } from './conditions.ts';
import { driverOf } from './facts.ts';
import type { SeenMesh } from './mesh.ts';
import type { ClusterNode } from './node.ts';

export interface Turned {
  readonly mesh: SeenMesh;
  readonly previous: MeshStatus | undefined;
  readonly status: MeshStatus;
  readonly nodes: readonly ClusterNode[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function happenings(turned: Turned): readonly SaidEvent[] {
  return [...rotations(turned), ...heldUp(turned), ...encryption(turned)];
}

/** Nodes that were encrypted and are no longer. */
export function lost(
  { mesh, nodes }: Pick<Turned, 'mesh' | 'nodes'>,
  before: ReadonlySet<string>,
): readonly SaidEvent[] {
  const driver = driverOf(mesh);
  if (driver === 'none') return [];
  return nodes.flatMap((node) => {
    const why = before.has(node.name) ? notEncrypted(node, driver) : undefined;
    return why === undefined ? [] : [warning(aboutNode(node), 'NotEncrypted', why.reason)];
  });
}

/** The resource went, and nodes go on with what it said last. */
export function orphaned(mesh: SeenMesh, nodes: readonly ClusterNode[]): readonly SaidEvent[] {
  const on = nodes.filter((node) => notOff(node) !== undefined).length;
  if (on === 0) return [];
  return [
    warning(
      aboutMesh(mesh),
      'ResourceGone',
      `EncryptionMesh ${RESOURCE_NAME} is gone while ${on} nodes are encrypted or shut: what it said last stays in force there; make it again with sheath enable, or switch off with sheath disable`,
    ),
  ];
}

function rotations({ mesh, previous, status, now }: Turned): readonly SaidEvent[] {
  const [before, after] = [previous?.rotation, status.rotation];
  const about = aboutMesh(mesh);
  const ended =
    before !== undefined && after?.to !== before.to && status.generation === before.to
      ? [
          normal(
            about,
            'RotationCompleted',
            `all ${before.total} nodes rotated ${wayOf(before)}, in ${minutes(now - Date.parse(before.startedAt))}`,
          ),
        ]
      : [];
  const began =
    after !== undefined && after.to !== before?.to
      ? [normal(about, 'RotationStarted', `the keys rotate ${wayOf(after)}`)]
      : [];
  return [...ended, ...began];
}

function heldUp({ mesh, previous, status, nodes }: Turned): readonly SaidEvent[] {
  const now = conditionOf(status.conditions, 'Degraded');
  const { rotation } = status;
  if (now?.reason !== 'RotationHeldUp' || rotation === undefined) return [];
  if (conditionOf(previous?.conditions, 'Degraded')?.reason === now.reason) return [];
  const names = new Map(rotation.waiting.map(({ node, reason }) => [node, reason]));
  const said = `holds up the rotation to generation ${rotation.to} since ${rotation.startedAt}`;
  const each = nodes.flatMap((node) => {
    const reason = names.get(node.name);
    return reason === undefined
      ? []
      : [warning(aboutNode(node), 'RotationHeldUp', `${node.name} ${said}: ${reason}`)];
  });
  return [warning(aboutMesh(mesh), 'RotationHeldUp', now.message), ...each];
}

/** What a condition says anew. */
function encryption({ mesh, previous, status }: Turned): readonly SaidEvent[] {
  const about = aboutMesh(mesh);
  return (['Encrypted', 'Degraded'] as const).flatMap((type) => {
    const now = conditionOf(status.conditions, type);
    const before = conditionOf(previous?.conditions, type);
    if (now === undefined || now.status === (before?.status ?? 'False')) return [];
    return transition(about, now);
  });
}

function transition(about: EventAbout, { type, status, reason, message }: Condition): readonly SaidEvent[] {
  if (type === 'Encrypted' && status === 'True') return [normal(about, 'Encrypted', message)];
  if (type === 'Encrypted' && reason === 'SomeNodes') return [warning(about, 'NotEncrypted', message)];
  if (type === 'Encrypted' && reason === 'Disabled') return [normal(about, 'Disabled', message)];
  // A rotation that is held up is told with its nodes.
  if (type === 'Degraded' && status === 'True' && reason !== 'RotationHeldUp')
    return [warning(about, reason, message)];
  return [];
}

function aboutMesh({ metadata }: SeenMesh): EventAbout {
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: 'EncryptionMesh',
    name: RESOURCE_NAME,
    uid: metadata.uid,
  };
}

function aboutNode({ name, uid }: ClusterNode): EventAbout {
  return { apiVersion: 'v1', kind: 'Node', name, uid };
}

function normal(about: EventAbout, reason: string, message: string): SaidEvent {
  return { about, type: 'Normal', reason, message };
}

function warning(about: EventAbout, reason: string, message: string): SaidEvent {
  return { about, type: 'Warning', reason, message };
}

function minutes(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

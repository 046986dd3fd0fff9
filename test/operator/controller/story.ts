/** The controller over time, by its pure parts alone. */
import assert from 'node:assert/strict';
import type { Condition, MeshStatus } from '../../../operator/config/resource.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import { happenings } from '../../../operator/controller/happenings.ts';
import type { ClusterNode } from '../../../operator/controller/node.ts';
import { meshStatus } from '../../../operator/controller/status.ts';
import { type MeshOptions, mesh, node } from './cluster.ts';

export const NOW = Date.parse('2026-06-01T12:00:00Z');
export const WIREGUARD: Spec = { encryption: 'wireguard', generation: 7 };
export const MINUTE = 60_000;

/** The controller over time: each look follows the last one. */
export class Story {
  previous: MeshStatus | undefined;
  readonly reasons: string[] = [];
  now = NOW;

  look(nodes: readonly ClusterNode[], spec: Spec = WIREGUARD, metadata: MeshOptions = {}): MeshStatus {
    const seen = mesh(spec, metadata);
    const status = meshStatus({ mesh: seen, nodes, previous: this.previous, now: this.now });
    const told = happenings({ mesh: seen, nodes, previous: this.previous, status, now: this.now });
    this.reasons.push(...told.map(({ reason, about }) => `${about.name} ${reason}`));
    this.previous = status;
    this.now += 1000;
    return status;
  }
}

export function condition(status: MeshStatus, type: Condition['type']): Condition {
  const found = status.conditions?.find((each) => each.type === type);
  assert.ok(found);
  return found;
}

export const said = (status: MeshStatus, type: Condition['type']) => {
  const { status: verdict, reason } = condition(status, type);
  return `${verdict} ${reason}`;
};

export const three = (held: readonly number[], sending = held) =>
  ['n1', 'n2', 'n3'].map((name) => node(name, { held, sending }));

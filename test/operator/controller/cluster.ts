/** Nodes and a resource as the controller sees them, for its pure parts. */
import type { Spec } from '../../../operator/config/schema.ts';
import { keepMesh, type SeenMesh } from '../../../operator/controller/mesh.ts';
import { type ClusterNode, keepNode } from '../../../operator/controller/node.ts';
import { ed25519Key } from '../../cli/puppets.ts';

export interface NodeOptions {
  readonly held?: readonly number[];
  /** Those of them that are not WireGuard's. */
  readonly ipsec?: readonly number[];
  readonly sending?: readonly number[];
  readonly agent?: object | null;
  readonly labels?: Readonly<Record<string, string>>;
}

const KEY = 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=';

/** Annotations of a node that holds and sends so; `agent: null`: none says anything. */
export function annotations({
  held = [],
  ipsec = [],
  sending = held,
  agent = {},
}: NodeOptions): Record<string, string> {
  const generations = held.map((generation) => ({
    generation,
    ...(ipsec.includes(generation)
      ? { driver: 'ipsec', publicKey: ed25519Key() }
      : { driver: 'wireguard', publicKey: KEY, port: 51830 + (generation % 2) }),
  }));
  return {
    ...(held.length === 0
      ? {}
      : { 'sheath.dev/generations': JSON.stringify(generations), 'sheath.dev/sending': sending.join(',') }),
    ...(agent === null ? {} : { 'sheath.dev/agent': JSON.stringify({ version: '1', cannot: [], ...agent }) }),
  };
}

export function node(name: string, options: NodeOptions = {}): ClusterNode {
  const labels = { 'kubernetes.io/os': 'linux', ...options.labels };
  const metadata = {
    name,
    uid: `uid-${name}`,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  const kept = keepNode({ metadata: { ...metadata, labels, annotations: annotations(options) } });
  if (kept === undefined) throw new Error('not kept');
  return kept;
}

export interface MeshOptions {
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
}

export function mesh(spec: Spec, metadata: MeshOptions = {}): SeenMesh {
  const kept = keepMesh({
    metadata: { name: 'default', uid: 'uid-mesh', resourceVersion: '7', generation: 3, ...metadata },
    spec,
  });
  if (kept === undefined) throw new Error('not kept');
  return kept;
}

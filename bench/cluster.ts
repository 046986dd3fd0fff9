/** Simulated nodes, up to 16,000: both families, one prefix and one address in each. Nobody answers for them. */
import { createHash } from 'node:crypto';
import type { NodeMetadata } from '../mesh/record.ts';
import { parseRecord } from '../mesh/record.ts';
import type { MeshConfig, NodeRecord } from '../mesh/types.ts';
import { resolveConfig } from '../operator/config/resolve.ts';

/** Node 1 is the one whose agent runs. */
export const SELF = 1;

export function nodeName(i: number): string {
  return `node-${String(i).padStart(5, '0')}`;
}

export function addressesOf(i: number): readonly [string, string] {
  return [`10.0.${i >> 8}.${i & 255}`, `2001:db8::${i.toString(16)}`];
}

export function prefixesOf(i: number): readonly [string, string] {
  return [`10.${64 + (i >> 8)}.${i & 255}.0/24`, `fd00:10:244:${i.toString(16)}::/64`];
}

export function publicKeyOf(i: number): Buffer {
  return createHash('sha256').update(nodeName(i)).digest();
}

export function annotationsOf(i: number): Record<string, string> {
  const publicKey = publicKeyOf(i).toString('base64');
  return {
    'sheath.dev/generations': JSON.stringify([
      { generation: 1, driver: 'wireguard', publicKey, port: 51831 },
    ]),
    'sheath.dev/endpoints': addressesOf(i).join(','),
    'sheath.dev/prefixes': prefixesOf(i).join(','),
    'sheath.dev/sending': '1',
  };
}

export function metadataOf(i: number): NodeMetadata {
  return {
    name: nodeName(i),
    uid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations: annotationsOf(i),
  };
}

/** Our own record, and those of `count` others. */
export function records(count: number): { self: NodeRecord; others: NodeRecord[] } {
  const others = Array.from({ length: count }, (_, index) => parseRecord(metadataOf(SELF + 1 + index)));
  return { self: parseRecord(metadataOf(SELF)), others };
}

export const config: MeshConfig = resolveConfig([
  { source: 'flag', spec: { encryption: 'wireguard' }, nameOf: (path) => path },
]).mesh;

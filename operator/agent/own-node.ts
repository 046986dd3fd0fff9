/** Our own Node: what the API server vouches for, and the record that we make of it. */
import type { KeyringEntry } from '../../keys/keyring.ts';
import type { AgentFacts, MeshConfig, NodeRecord } from '../../mesh/types.ts';
import type { VouchedMetadata } from '../kube/node.ts';
import type { OwnNode } from '../records/disk.ts';

export function ownNodeOf(node: VouchedMetadata): OwnNode {
  const { name, uid, creationTimestamp, podCIDRs, internalAddresses, labels } = node;
  return { name, uid, creationTimestamp, podCIDRs, addresses: internalAddresses, labels };
}

export function sameOwnNode(a: OwnNode | undefined, b: OwnNode): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/** They decide whether this node takes part. */
export function sameLabels(a: OwnNode['labels'], b: OwnNode['labels']): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export interface OwnRecordParts {
  readonly own: OwnNode;
  readonly keys: readonly KeyringEntry[];
  readonly config: MeshConfig;
  readonly sending: readonly number[];
  readonly facts: AgentFacts;
}

export function ownRecord({ own, keys, config, sending, facts }: OwnRecordParts): NodeRecord {
  return {
    name: own.name,
    uid: own.uid,
    createdAt: own.creationTimestamp,
    generations: keys.map((key) => ({
      number: key.generation,
      driver: 'wireguard',
      publicKey: key.publicKey,
      port: config.wireguard.port + (key.generation % 2),
    })),
    endpoints: own.addresses,
    prefixes: own.podCIDRs,
    sending,
    agent: facts,
    problems: [],
  };
}

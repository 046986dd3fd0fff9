/** Our own Node: what the API server vouches for, and the record that we make of it. */

import type { Generation } from '../../keys/generation.ts';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import type { AgentFacts, NodeRecord } from '../../mesh/types.ts';
import type { VouchedMetadata } from '../kube/node.ts';
import type { OwnPrefixes, PrefixSource } from '../prefixes/own.ts';
import type { OwnNode } from '../records/disk.ts';

export function ownNodeOf(node: VouchedMetadata, behind: OwnPrefixes): OwnNode {
  const { name, uid, creationTimestamp, podCIDRs, internalAddresses, labels } = node;
  return { name, uid, creationTimestamp, podCIDRs, addresses: internalAddresses, labels, ...behind };
}

export function sameOwnNode(a: OwnNode | undefined, b: OwnNode): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/** They decide whether this node takes part. */
export function sameLabels(a: OwnNode['labels'], b: OwnNode['labels']): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * What our Node is to carry, from annotations made of our own record: what the others are told of our prefixes may be another matter
 * than what is behind us right now, and where somebody else writes them we leave theirs alone.
 */
export function published(
  wanted: Readonly<Record<string, string>>,
  { claimed }: Pick<OwnNode, 'claimed'>,
  source: PrefixSource,
): Readonly<Record<string, string>> {
  if (wanted[ANNOTATIONS.prefixes] === undefined) return wanted;
  const { [ANNOTATIONS.prefixes]: _, ...others } = wanted;
  if (source === 'annotations') return others;
  return claimed === undefined ? wanted : { ...others, [ANNOTATIONS.prefixes]: claimed.join(',') };
}

/** The annotations that are ours to write and to remove. */
export function ownAnnotations(source: PrefixSource): readonly string[] {
  return Object.values(ANNOTATIONS).filter(
    (name) => source !== 'annotations' || name !== ANNOTATIONS.prefixes,
  );
}

export interface OwnRecordParts {
  readonly own: OwnNode;
  readonly generations: readonly Generation[];
  readonly sending: readonly number[];
  readonly facts: AgentFacts;
}

export function ownRecord({ own, generations, sending, facts }: OwnRecordParts): NodeRecord {
  return {
    name: own.name,
    uid: own.uid,
    createdAt: own.creationTimestamp,
    generations,
    endpoints: own.addresses,
    prefixes: own.prefixes ?? own.podCIDRs,
    sending,
    agent: facts,
    problems: [],
  };
}

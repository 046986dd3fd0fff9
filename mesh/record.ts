/** Stub: the signature that others build on. */
import type { NodeRecord } from './types.ts';

/** What is read of a Node: its metadata, as the API server sends it. */
export interface NodeMetadata {
  readonly name: string;
  readonly uid: string;
  readonly creationTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What a node says of itself: the part of a record that is published. */
export type OwnClaims = Pick<NodeRecord, 'generations' | 'endpoints' | 'prefixes' | 'sending' | 'agent'>;

export const ANNOTATIONS = {
  generations: 'sheath.dev/generations',
  endpoints: 'sheath.dev/endpoints',
  prefixes: 'sheath.dev/prefixes',
  sending: 'sheath.dev/sending',
  agent: 'sheath.dev/agent',
} as const;

export type AnnotationName = (typeof ANNOTATIONS)[keyof typeof ANNOTATIONS];

/** Never throws: a bad part is a `Problem` of the record, the good parts stay. */
export function parseRecord(_metadata: NodeMetadata): NodeRecord {
  throw new Error('parseRecord: not built yet');
}

/** The annotations that `parseRecord` reads back as `claims`: sorted, canonical, the same text for the same claims. */
export function formatAnnotations(_claims: OwnClaims): Readonly<Record<AnnotationName, string>> {
  throw new Error('formatAnnotations: not built yet');
}

/**
 * A Node's metadata to its record and back. What is read is untrusted: sizes are looked at before anything is parsed, a bad part
 * becomes a `Problem`, and the good parts stay. What a newer agent may write (fields, drivers) is tolerated.
 */
import { ANNOTATIONS, type AnnotationName, LIMITS } from './annotations.ts';
import { parseAddresses, parsePrefixes, sortedAddresses, sortedPrefixes } from './lists.ts';
import { ProblemList } from './problems.ts';
import { formatAgent, formatGenerations, parseAgent, parseGenerations, parseSending } from './published.ts';
import type { NodeRecord, Problem } from './types.ts';

/** What is read of a Node: its metadata, as the API server sends it. */
export interface NodeMetadata {
  readonly name: string;
  readonly uid: string;
  readonly creationTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What a node says of itself: the part of a record that is published. */
export type OwnClaims = Pick<NodeRecord, 'generations' | 'endpoints' | 'prefixes' | 'sending' | 'agent'>;

/** Never throws. */
export function parseRecord(metadata: NodeMetadata): NodeRecord {
  const problems: Problem[] = [];
  const read = <T>(name: AnnotationName, parse: Parser<T>, absent: T): T => {
    const list = new ProblemList(name);
    const text = sizedText(metadata.annotations, name, list);
    const value = text === undefined ? absent : parse(text, list);
    problems.push(...list.list());
    return value;
  };
  const agent = read(ANNOTATIONS.agent, agentOf, undefined);
  return {
    name: metadata.name,
    uid: metadata.uid,
    createdAt: metadata.creationTimestamp,
    generations: read(ANNOTATIONS.generations, parseGenerations, []),
    endpoints: read(ANNOTATIONS.endpoints, parseAddresses, []),
    prefixes: read(ANNOTATIONS.prefixes, parsePrefixes, []),
    sending: read(ANNOTATIONS.sending, sendingOf, []),
    ...(agent === undefined ? {} : { agent }),
    problems,
  };
}

type Parser<T> = (text: string, problems: ProblemList) => T;

const sendingOf = shared(parseSending);
const agentOf = shared(parseAgent);

/** Nearly all nodes say the same here: one value serves them all, the one that was read last without a problem. */
function shared<T>(parse: Parser<T>): Parser<T> {
  let last: { readonly text: string; readonly value: T } | undefined;
  return (text, problems) => {
    if (last?.text === text) return last.value;
    const value = parse(text, problems);
    if (problems.list().length === 0) last = { text, value };
    return value;
  };
}

/** The annotation's text when it is there and of a size that we parse. */
function sizedText(
  annotations: NodeMetadata['annotations'],
  name: AnnotationName,
  problems: ProblemList,
): string | undefined {
  if (annotations === undefined || annotations === null || !Object.hasOwn(annotations, name))
    return undefined;
  const text: unknown = annotations[name];
  if (typeof text !== 'string') {
    problems.add('RECORD_MALFORMED', `is ${text === null ? 'null' : `a ${typeof text}`}, expected text`);
    return undefined;
  }
  const limit = LIMITS[name].size;
  if (text.length > limit) {
    problems.add(
      'RECORD_TOO_LARGE',
      `has ${text.length} characters, at most ${limit} are read; remove it, and the agent writes it anew`,
    );
    return undefined;
  }
  return text;
}

/** The annotations that `parseRecord` reads back as `claims`: sorted, canonical, the same text for the same claims. */
export function formatAnnotations(claims: OwnClaims): Readonly<Partial<Record<AnnotationName, string>>> {
  return {
    [ANNOTATIONS.generations]: formatGenerations(claims.generations),
    [ANNOTATIONS.endpoints]: sortedAddresses(claims.endpoints).join(','),
    [ANNOTATIONS.prefixes]: sortedPrefixes(claims.prefixes).join(','),
    [ANNOTATIONS.sending]: [...new Set(claims.sending)].sort((a, b) => a - b).join(','),
    ...(claims.agent === undefined ? {} : { [ANNOTATIONS.agent]: formatAgent(claims.agent) }),
  };
}

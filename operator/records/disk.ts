/**
 * What the agent knows, on disk: a boot without the API server brings the tunnels up from it. It is a copy of what the API said,
 * so a damaged one is dropped and said, where a damaged key never is.
 */
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { PublicKey } from '../../keys/generation.ts';
import { parseAddress } from '../../mesh/address.ts';
import { parsePrefix } from '../../mesh/prefix.ts';
import type { Address, Evidence, Prefix, VouchedNode } from '../../mesh/types.ts';
import { writeAtomically } from '../files.ts';
import { labelsOf, parseNodeMetadata } from '../kube/node.ts';
import { loadState, type OnDamage } from '../state-file.ts';
import type { KeptNodes } from './nodes.ts';

export interface Knowledge extends KeptNodes {
  /** Our own Node, as the API server vouched for it. */
  readonly own: OwnNode;
  readonly evidence: Evidence;
  /** Where the API server was reached, sorted: no pod may claim it. */
  readonly reserved: readonly Address[];
}

/** This machine's Node: what our own record is made of. */
export interface OwnNode {
  readonly name: string;
  readonly uid: string;
  readonly creationTimestamp: string;
  readonly podCIDRs: readonly Prefix[];
  readonly addresses: readonly Address[];
  /** Sorted by name; undefined: not known. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What is behind it; undefined: `podCIDRs`. */
  readonly prefixes?: readonly Prefix[];
  /** What of that it tells the others; undefined: all. */
  readonly claimed?: readonly Prefix[];
}

const FILE = 'records.json';
const VERSION = 1;

export function knowledgePath(stateDir: string): string {
  return join(stateDir, FILE);
}

/** Undefined when there is none, or it is damaged (then `onDamage` hears of it). @throws OperatorError `STATE_DIR_UNREADABLE` */
export function loadKnowledge(stateDir: string, onDamage: OnDamage): Promise<Knowledge | undefined> {
  const path = knowledgePath(stateDir);
  const parse = async (content: unknown): Promise<Knowledge> => {
    const knowledge = parseKnowledge(content);
    return { ...knowledge, at: Math.max(knowledge.at, (await stat(path)).mtimeMs) };
  };
  return loadState(path, parse, onDamage);
}

/** @throws the error of node:fs */
export async function saveKnowledge(stateDir: string, knowledge: Knowledge): Promise<void> {
  const { at, nodes, own, evidence, reserved } = knowledge;
  const kept = nodes.map(({ name, uid, creationTimestamp, annotations }) => ({
    name,
    uid,
    creationTimestamp,
    annotations,
  }));
  const written = {
    version: VERSION,
    at,
    own,
    reserved,
    evidence: {
      nodes: [...evidence.nodes],
      keyHolders: [...evidence.keyHolders],
      endpointHolders: [...evidence.endpointHolders],
    },
    nodes: kept,
  };
  await writeAtomically(knowledgePath(stateDir), `${JSON.stringify(written)}\n`, 0o600);
}

/** Says that what is on disk is still true at this time, without writing it again. */
export async function touchKnowledge(stateDir: string, at: number): Promise<void> {
  await utimes(knowledgePath(stateDir), at / 1000, at / 1000).catch(() => {});
}

function parseKnowledge(content: unknown): Knowledge {
  const { version, at, own, nodes, evidence, reserved } = record(content);
  if (version !== VERSION) throw new Error(`version ${String(version)}, expected ${VERSION}`);
  if (typeof at !== 'number' || !Array.isArray(nodes)) throw new Error('no time or no nodes');
  return {
    at,
    nodes: nodes.flatMap((metadata: unknown) => parseNodeMetadata({ metadata }) ?? []),
    own: parseOwn(own),
    evidence: parseEvidence(record(evidence)),
    reserved: parseAddresses(reserved),
  };
}

function parseOwn(content: unknown): OwnNode {
  const { name, uid, creationTimestamp, labels, prefixes, claimed } = record(content);
  if (typeof name !== 'string' || typeof uid !== 'string') throw new Error('no own Node');
  return {
    name,
    uid,
    creationTimestamp: String(creationTimestamp ?? ''),
    ...parseVouched(content),
    ...(labels === undefined ? {} : { labels: labelsOf({ metadata: { labels } }) }),
    ...(prefixes === undefined ? {} : { prefixes: parsePrefixes(prefixes) }),
    ...(claimed === undefined ? {} : { claimed: parsePrefixes(claimed) }),
  };
}

function parseEvidence({ nodes, keyHolders, endpointHolders }: Record<string, unknown>): Evidence {
  return {
    nodes: new Map(pairs(nodes).map(([uid, vouched]) => [uid, parseVouched(vouched)])),
    // Compared with keys that were parsed, so that one which is none matches nothing.
    keyHolders: new Map(pairs(keyHolders).map(([key, uid]) => [key as PublicKey, String(uid)])),
    // Older versions wrote none.
    endpointHolders: new Map(
      pairs(endpointHolders).flatMap(([text, uid]) => {
        const address = parseAddress(text);
        return address === undefined ? [] : [[address, String(uid)] as const];
      }),
    ),
  };
}

function parseVouched(content: unknown): VouchedNode {
  const { podCIDRs, addresses } = record(content);
  return {
    podCIDRs: parsePrefixes(podCIDRs),
    addresses: parseAddresses(addresses),
  };
}

function parsePrefixes(content: unknown): readonly Prefix[] {
  return texts(content).flatMap((text) => parsePrefix(text) ?? []);
}

function parseAddresses(content: unknown): readonly Address[] {
  return texts(content).flatMap((text) => parseAddress(text) ?? []);
}

function record(content: unknown): Record<string, unknown> {
  if (typeof content !== 'object' || content === null) throw new Error('expected an object');
  return content as Record<string, unknown>;
}

function pairs(content: unknown): [string, unknown][] {
  return Array.isArray(content)
    ? content.flatMap((pair: unknown) => (Array.isArray(pair) ? [[String(pair[0]), pair[1] as unknown]] : []))
    : [];
}

function texts(content: unknown): readonly string[] {
  return Array.isArray(content) ? content.filter((text): text is string => typeof text === 'string') : [];
}

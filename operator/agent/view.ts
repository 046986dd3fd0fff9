/** The agent's state as a person asks for it. */
import type { Stance } from '../../mesh/stance.ts';
import type { NodeRecord, PeerStatus, Refusal } from '../../mesh/types.ts';
import type { AgentStatus, GenerationStatus, MeshState, RotationProgress } from '../status.ts';
import type { OwnGeneration } from './mesher.ts';

export interface MeshStateInput {
  readonly encryption: AgentStatus['encryption'];
  /** Whether a first turn was taken. */
  readonly started: boolean;
  readonly withdrawing: boolean;
  readonly peers: readonly PeerStatus[];
}

export function meshState({ encryption, started, withdrawing, peers }: MeshStateInput): MeshState {
  if (!started) return 'starting';
  if (encryption === 'none') return withdrawing ? 'withdrawing' : 'plaintext';
  if (peers.length === 0) return 'alone';
  const through = peers.filter((peer) => peer.state === 'routed' || peer.state === 'degraded').length;
  if (through === 0) return 'plaintext';
  return through === peers.length && peers.every((peer) => peer.state === 'routed') ? 'encrypted' : 'partial';
}

export interface PeersInput {
  readonly self: string;
  readonly records: readonly NodeRecord[];
  readonly statuses: ReadonlyMap<string, PeerStatus>;
  readonly encryption: AgentStatus['encryption'];
  /** Since when each Node without a status is known, by uid: kept by the caller. */
  readonly since: (uid: string) => number;
}

/** Every other Node: also those that the plan does not know, because they have no record. */
export function allPeers({ self, records, statuses, encryption, since }: PeersInput): readonly PeerStatus[] {
  return records
    .filter((record) => record.name !== self)
    .map((record) => statuses.get(record.name) ?? unknownPeer(record, encryption, since(record.uid)));
}

function unknownPeer(record: NodeRecord, encryption: AgentStatus['encryption'], since: number): PeerStatus {
  const message =
    encryption === 'none'
      ? 'encryption is off on this node'
      : `Node ${record.name} published no key: start an agent there, with encryption on`;
  return {
    node: record.name,
    state: 'unknown',
    since,
    receivedBytes: 0,
    sentBytes: 0,
    reason: { code: 'NO_COMMON_GENERATION', message },
  };
}

export function generationStatuses(
  generations: readonly OwnGeneration[],
  sending: readonly number[],
): readonly GenerationStatus[] {
  return generations.map(({ number, driver, port, key }) => ({
    number,
    driver,
    publicKey: key.publicKey,
    ...(driver === 'wireguard' ? { port } : {}),
    createdAt: key.createdAt,
    sending: sending.includes(number),
  }));
}

/** Undefined: no rotation is under way. */
export function rotationProgress(stance: Stance | undefined): RotationProgress | undefined {
  const numbers = (stance?.held ?? []).map(({ number }) => number);
  const to = numbers.at(-1);
  if (stance === undefined || to === undefined) return undefined;
  const from = numbers.length > 1 ? numbers[0] : stance.sending.includes(0) ? 0 : undefined;
  if (from === undefined) return undefined;
  return { from, to, phase: stance.sending.some((number) => number !== to) ? 'switching' : 'draining' };
}

/** What tells one refusal from another. */
export function refusalKey({ node, code, message }: Refusal): string {
  return JSON.stringify([node, code, message]);
}

/**
 * When it is this node's turn to write. What makes one node write makes all of them: a rotation, a switch, another mode. So each waits a
 * share of the time in which the whole cluster writes at a pace that no API server minds. The share follows from the node's name and the
 * step: an agent that starts again does not throw the dice again.
 */
import { createHash } from 'node:crypto';
import { remaining } from '../clock.ts';

/** Writes a second over the cluster. */
export const CLUSTER_PACE = 50;

export interface Crowd {
  /** Nodes in the cluster. */
  readonly nodes: number;
  /** Of these, that publish a key. */
  readonly keyed: number;
}

/** Milliseconds, from 0 up to what all nodes take together. */
export function shareOf(node: string, step: string, nodes: number): number {
  const share = createHash('sha256').update(`${node}\n${step}`).digest().readUInt32BE(0) / 2 ** 32;
  return (share * nodes * 1000) / CLUSTER_PACE;
}

export interface Write {
  /** What the Node is to carry. */
  readonly text: string;
  /** Of which step it is part: with the node's name it decides the share. */
  readonly step: string;
  /** Whether it carries no key so far: of one that joins a mesh that is there, nobody else writes too. */
  readonly first: boolean;
  readonly crowd: Crowd;
  readonly now: number;
}

export class WriteShare {
  readonly #node: string;
  /** What waits for its turn: begun when, and how long. What comes to it meanwhile goes with it. */
  #waiting: { readonly since: number; readonly share: number } | undefined;
  #settled: string | undefined;

  constructor(node: string) {
    this.#node = node;
  }

  /** Milliseconds until it may be written. */
  wait({ text, step, first, crowd, now }: Write): number {
    const joins = first && crowd.keyed * 2 > crowd.nodes;
    // Put back what somebody else's hand changed: nobody else has to.
    if (joins || text === this.#settled) return 0;
    this.#waiting ??= { since: now, share: shareOf(this.#node, step, crowd.nodes) };
    return remaining(this.#waiting.since, this.#waiting.share, now);
  }

  /** The Node carries it. */
  settled(text: string): void {
    this.#settled = text;
    this.#waiting = undefined;
  }
}

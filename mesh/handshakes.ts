/** Stub: the signature that others build on. */
import type { MeshPlan, PeerStatus } from './types.ts';

/** What we tried so far for one peer's newest link, which waits for its first handshake. */
export interface Attempt {
  /** The link it is about: another key or generation begins anew. */
  readonly link: string;
  /** When the link was first seen waiting, in milliseconds since the epoch. */
  readonly since: number;
  /** How often it was made anew. */
  readonly restarts: number;
  /** When to act next. */
  readonly nextAt: number;
}

export interface InitiationsInput {
  readonly plan: MeshPlan;
  readonly statuses: ReadonlyMap<string, PeerStatus>;
  /** What the last call returned as `attempts`; empty at the start. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Initiations {
  /** Nodes whose links get a persistent keepalive while they establish: `DesiredState.keepalive`. */
  readonly keepalive: ReadonlySet<string>;
  /** Nodes whose links are made anew now: `DesiredState.restart`. */
  readonly restart: readonly string[];
  /** To be passed to the next call. */
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** When to call again at the latest, in milliseconds since the epoch; undefined when nobody waits. */
  readonly nextAt?: number;
}

export function initiations(_input: InitiationsInput): Initiations {
  throw new Error('initiations: not built yet');
}

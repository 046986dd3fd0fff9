/** What the agent is to do, as it may change while it runs: read anew at every turn, which `Agent.configChanged()` asks for. */
import type { AgentFacts } from '../../mesh/types.ts';
import type { ResolvedConfig } from '../config/resolve.ts';

export interface LiveConfig {
  /** The same object until something changed. `mesh.encryption` is `none` also where the node is not selected. */
  readonly config: ResolvedConfig;
  /** What the node says of itself, but for the mode: that is what is in force, and the stance knows it. */
  readonly facts: Omit<AgentFacts, 'mode'>;
  /** Whether a node that holds no key says so (`sheath.dev/agent`): where `none` comes from the resource, or from nobody. */
  readonly publishFacts: boolean;
  /**
   * What this rests on; a node that knows nothing does not act, for encryption that nobody spoke of would take its tunnels down.
   *
   *   api      the API server told of the resource, or that there is none
   *   disk     the last good resource, as it was kept or stays in force
   *   layers   the API server was not heard yet, but somebody on this machine said what encryption is to be
   *   nothing  not even that
   */
  readonly basis: 'api' | 'disk' | 'layers' | 'nothing';
  /** Why this node takes no part, where it does not. */
  readonly notSelected?: string;
}

/** The latest good one; never throws. */
export type Live = () => LiveConfig;

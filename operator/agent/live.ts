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
}

/** The latest good one; never throws. */
export type Live = () => LiveConfig;

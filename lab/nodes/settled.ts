/** When an agent of a lab is where it should be; pure. */
import type { Encryption } from '../../mesh/types.ts';
import type { AgentStatus } from '../../operator/status.ts';

export interface Expected {
  /** Names of the lab's nodes. */
  readonly members: readonly string[];
  readonly encryption: Encryption;
}

/**
 * Whether the agent knows every other node of the lab and, where there is encryption, sends to each of them encrypted, and so. What
 * other Nodes the API server has is not looked at: nobody need ever start an agent there.
 */
export function isSettled(
  status: Pick<AgentStatus, 'node' | 'state' | 'peers'>,
  { members, encryption }: Expected,
): boolean {
  const others = members.filter((name) => name !== status.node);
  // A younger agent says "alone" of a lab that is still being built.
  const peers = status.peers.filter(({ node }) => others.includes(node));
  if (status.state === 'starting' || peers.length !== others.length) return false;
  if (encryption === 'none') return status.state === 'plaintext' || status.state === 'alone';
  return peers.every(({ state, driver = encryption }) => state === 'routed' && driver === encryption);
}

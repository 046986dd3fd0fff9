/** How a lab stands, node by node. */
import type { Encryption } from '../../mesh/types.ts';
import type { MeshState } from '../../operator/status.ts';
import { agentPid, agentStatus } from './agents.ts';
import type { Lab } from './folder.ts';
import { currentEncryption } from './mesh.ts';
import type { LabNode } from './topology.ts';

export interface LabNodeStatus {
  readonly node: string;
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
  readonly pods: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** `silent`: the process lives and does not answer. */
  readonly agent: 'running' | 'silent' | 'stopped';
  readonly pid?: number;
  readonly state?: MeshState;
  /** Peers that are routed, of all. */
  readonly routed?: number;
  readonly peers?: number;
  /** `sheath1 kernel`, `sheath1 userspace`. */
  readonly devices: readonly string[];
  readonly problems: readonly string[];
}

export interface LabStatus {
  readonly name: string;
  readonly folder: string;
  readonly kubeconfig: string;
  readonly api: string;
  readonly encryption: Encryption;
  readonly nodes: readonly LabNodeStatus[];
}

export async function labStatus(lab: Lab): Promise<LabStatus> {
  return {
    name: lab.name,
    folder: lab.folder,
    kubeconfig: lab.kubeconfig,
    api: lab.spec.kubeconfig ?? 'embedded',
    encryption: await currentEncryption(lab),
    nodes: await Promise.all(lab.topology.members.map((node) => nodeStatus(lab, node))),
  };
}

async function nodeStatus(lab: Lab, node: LabNode): Promise<LabNodeStatus> {
  const [pid, status] = await Promise.all([agentPid(lab, node), agentStatus(lab, node)]);
  return {
    node: node.name,
    addresses: node.addresses,
    podCIDRs: node.podCIDRs,
    pods: node.pods.map(({ name, addresses }) => ({ name, addresses })),
    agent: pid === undefined ? 'stopped' : status ? 'running' : 'silent',
    ...(pid !== undefined && { pid }),
    ...(status && {
      state: status.state,
      routed: status.peers.filter((peer) => peer.state === 'routed').length,
      peers: status.peers.length,
    }),
    devices: status?.devices.map(({ name, implementation }) => `${name} ${implementation}`) ?? [],
    problems: status?.problems.map(({ message }) => message) ?? [],
  };
}

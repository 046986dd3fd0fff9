/** The agent of each node: a real `sheath agent` in the node's namespace. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentClient } from '../../cli/sources/agent.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { LabError } from '../errors.ts';
import { spawnLogged } from '../processes.ts';
import { type Lab, nodeFolders } from './folder.ts';
import { lastWords } from './last-words.ts';
import { endPid, livingPid, recordPid } from './pids.ts';
import type { LabNode } from './topology.ts';

/** wireguard-go's sockets are in one folder for all namespaces: for wg(8) inside a node, the node's own lies over it. */
const WIREGUARD_SOCKETS = '/var/run/wireguard';

/** Whoever looks for one of its nodes. Throws `LAB_NODE_UNKNOWN`. */
export function nodeNamed(lab: Lab, name: string): LabNode {
  const node = lab.topology.members.find((member) => member.name === name);
  if (node) return node;
  const names = lab.topology.members.map((member) => member.name).join(', ');
  throw new LabError('LAB_NODE_UNKNOWN', `the lab "${lab.name}" has no node "${name}": it has ${names}`);
}

/** `command` as argv that runs inside the node, with the node's folders and the API in its environment. */
export function inNode(lab: Lab, node: LabNode, command: readonly string[]): readonly string[] {
  const { state, run, wireguard } = nodeFolders(lab, node.name);
  return [
    ...[
      'ip',
      'netns',
      'exec',
      node.netns,
      'env',
      `NODE_NAME=${node.name}`,
      `KUBECONFIG=${lab.nodeKubeconfig}`,
    ],
    ...[`SHEATH_STATE_DIR=${state}`, `SHEATH_RUN_DIR=${run}`, `PATH=${lab.folder}/bin:${process.env.PATH}`],
    ...[
      'sh',
      '-c',
      `mkdir -p "$0" ${WIREGUARD_SOCKETS} && mount --bind "$0" ${WIREGUARD_SOCKETS} && exec "$@"`,
      wireguard,
    ],
    ...command,
  ];
}

/** Command line of the node's agent, without what brings it into its namespace. */
export function agentCommand(lab: Lab, node: LabNode): readonly string[] {
  const { state, run } = nodeFolders(lab, node.name);
  return [
    ...lab.spec.program,
    ...['agent', '--node-name', node.name],
    ...(lab.spec.through === 'flag' ? ['--encryption', lab.spec.encryption] : []),
    ...['--kubeconfig', lab.nodeKubeconfig, '--state-dir', state, '--run-dir', run],
    ...lab.spec.agentFlags,
  ];
}

/** Starts the agent unless it runs; says whether it was started. Does not wait for it. */
export async function startAgent(lab: Lab, node: LabNode): Promise<boolean> {
  const { state, run, log, pid } = nodeFolders(lab, node.name);
  if ((await livingPid(pid)) !== undefined) return false;
  for (const folder of [state, run]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const child = spawnLogged(inNode(lab, node, agentCommand(lab, node)), log, true);
  child.unref();
  if (child.pid !== undefined) await recordPid(pid, child.pid);
  return true;
}

/** SIGTERM leaves the tunnels up, and so does SIGKILL. Resolves when the agent is gone. */
export function stopAgent(lab: Lab, node: LabNode, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  return endPid(nodeFolders(lab, node.name).pid, signal);
}

export async function agentPid(lab: Lab, node: LabNode): Promise<number | undefined> {
  return livingPid(nodeFolders(lab, node.name).pid);
}

/** What a reboot leaves of the folders: the state, and nothing that was in memory. */
export async function forgetMemory(lab: Lab, node: LabNode): Promise<void> {
  await rm(nodeFolders(lab, node.name).run, { recursive: true, force: true });
}

/** What the agent says; undefined while it says nothing. */
export async function agentStatus(lab: Lab, node: LabNode): Promise<AgentStatus | undefined> {
  return agentClient(nodeFolders(lab, node.name).run)
    .status()
    .catch(() => undefined);
}

/**
 * Resolves when every agent is as wanted. Throws `LAB_AGENT_SILENT` with what the first that is not says when the time is
 * over, or at once when its process has ended.
 */
export async function untilAgents(
  lab: Lab,
  wanted: (status: AgentStatus) => boolean,
  options: { readonly patience: number; readonly nodes?: readonly LabNode[]; readonly signal?: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + options.patience;
  for (const node of options.nodes ?? lab.topology.members) {
    for (;;) {
      options.signal?.throwIfAborted();
      const status = await agentStatus(lab, node);
      if (status && wanted(status)) break;
      if ((await agentPid(lab, node)) === undefined || performance.now() > deadline) {
        throw new LabError('LAB_AGENT_SILENT', await complaint(lab, node, status));
      }
      await sleep(100);
    }
  }
}

async function complaint(lab: Lab, node: LabNode, status: AgentStatus | undefined): Promise<string> {
  const { log } = nodeFolders(lab, node.name);
  if (status) {
    const peers = status.peers.map((peer) => `${peer.node} ${peer.state}`).join(', ');
    const [problem] = status.problems;
    return `the agent of ${node.name} is still "${status.state}" (${problem?.message ?? peers}); its log is ${log}`;
  }
  const last = lastWords(await readFile(log, 'utf8').catch(() => ''));
  return `the agent of ${node.name} does not answer: ${last || `look into ${log}`}`;
}

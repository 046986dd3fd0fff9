/** A lab from its first namespace to its last: what `sheath lab`, the demo and the tests call. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { kernelFolder } from '../../operator/agent/folders.ts';
import type { Spec } from '../../operator/config/schema.ts';
import { BOOT_DOOR } from '../../tunnels/firewall/boot.ts';
import { apiTarget } from '../api-client.ts';
import { LabError } from '../errors.ts';
import { run } from '../processes.ts';
import { labProgram } from '../program.ts';
import { forgetMemory, inNode, nodeNamed, startAgent, stopAgent, untilAgents } from './agents.ts';
import { startApi, stopApi } from './api.ts';
import { startController, stopController } from './controller.ts';
import {
  createFolder,
  LABS_FOLDER,
  type Lab,
  type LabSpec,
  nodeFolders,
  openLab,
  removeFolder,
  writeSpec,
} from './folder.ts';
import { requireUsable } from './kubeconfigs.ts';
import { applyMesh, currentEncryption, meshSpec } from './mesh.ts';
import { createNodeNetwork, createUnderlay, destroyNamespaces, destroyNodeNetwork } from './network.ts';
import { createObjects, deleteObjects } from './objects.ts';
import { isSettled } from './settled.ts';
import { namespacePrefix, type Topology, topology } from './topology.ts';

export interface LabOptions {
  /** `lab` unless told otherwise; several labs can stand side by side. */
  readonly name?: string;
  readonly nodes?: number;
  /** Pods a node. */
  readonly pods?: number;
  readonly ipv6?: boolean;
  /** IPv6 alone where it is false. */
  readonly ipv4?: boolean;
  readonly encryption?: LabSpec['encryption'];
  /** Of a real API server; else the embedded one serves. */
  readonly kubeconfig?: string;
  /** Tell the agents by flag, which is the default, or by the EncryptionMesh. */
  readonly through?: 'flag' | 'resource';
  /** A controller too, which writes the resource's status. */
  readonly controller?: boolean;
  readonly agentFlags?: readonly string[];
  /** Network and API only; `startAgent` starts them. */
  readonly withoutAgents?: boolean;
  /** argv of the program; this very program unless told otherwise. */
  readonly program?: readonly string[];
  /** How long the agents may take until all is encrypted, in milliseconds; 60 s. */
  readonly patience?: number;
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Builds the lab and resolves when every agent is where it should be; takes everything back when it cannot. */
export async function labUp(options: LabOptions = {}): Promise<Lab> {
  requireRoot();
  const size = sizeOf(options);
  if (options.kubeconfig !== undefined) await requireUsable(options.kubeconfig, size);
  const lab = await createFolder({
    name: size.name,
    nodes: size.nodes,
    pods: size.pods,
    ipv6: size.ipv6,
    ipv4: size.ipv4,
    program: [...(options.program ?? labProgram())],
    encryption: options.encryption ?? 'none',
    through: options.through ?? 'flag',
    ...(options.kubeconfig !== undefined && { kubeconfig: resolve(options.kubeconfig) }),
    agentFlags: [...(options.agentFlags ?? [])],
  });
  try {
    await build(lab, options);
    return lab;
  } catch (error) {
    if (!options.signal?.aborted) await keepLogs(lab);
    await labDown(lab.name).catch((left: Error) => options.progress?.(left.message));
    throw error;
  }
}

function sizeOf(options: LabOptions): Topology {
  const { name = 'lab', nodes = 3, pods = 1, ipv6 = false, ipv4 } = options;
  return topology({ name, nodes, pods, ipv6, ipv4 });
}

async function build(lab: Lab, options: LabOptions): Promise<void> {
  const say = options.progress ?? (() => {});
  const step = async (line: string, work: () => Promise<void>): Promise<void> => {
    options.signal?.throwIfAborted();
    say(line);
    await work();
    options.signal?.throwIfAborted();
  };
  const { members, pods, ipv6 } = lab.topology;
  const names = members.length > 4 ? `n1 to n${members.length}` : members.map(({ name }) => name).join(', ');
  await writeWrapper(lab);
  await step(
    `network: ${names}, ${pods} pod${pods > 1 ? 's' : ''} each, ${ipv6 ? 'IPv4 and IPv6' : 'IPv4'}`,
    async () => {
      // What a lab of this name left behind when it was cut short.
      await destroyNamespaces(namespacePrefix(lab.name));
      await createUnderlay(lab.topology);
      for (const node of members) await createNodeNetwork(lab.topology, node);
    },
  );
  await step(
    `API server: ${lab.spec.kubeconfig ?? 'embedded'}, http(s)://192.0.2.1:6443 in the lab`,
    async () => {
      await startApi(lab);
      await createObjects(lab);
    },
  );
  if (options.withoutAgents) return;
  await step(`agents: encryption ${lab.spec.encryption}`, async () => {
    if (options.controller === true) await startController(lab);
    for (const node of members) await startAgent(lab, node);
    await untilSettled(lab, options);
  });
}

/** Every agent answers, and where there is encryption it has reached every other node of the lab. */
export async function untilSettled(
  lab: Lab,
  options: Pick<LabOptions, 'patience' | 'signal'> = {},
): Promise<void> {
  const members = lab.topology.members.map(({ name }) => name);
  const encryption = await currentEncryption(lab);
  await untilAgents(lab, (status) => isSettled(status, { members, encryption }), {
    patience: options.patience ?? 60_000,
    ...(options.signal && { signal: options.signal }),
  });
}

export interface Settings extends Pick<LabOptions, 'patience' | 'signal'> {
  /** Instead of those the lab came up with. */
  readonly agentFlags?: readonly string[];
}

/** Switches encryption of the whole lab, by the EncryptionMesh or by agents with new flags; resolves when it is done. */
export async function setEncryption(
  name: string,
  encryption: LabSpec['encryption'],
  options: Settings = {},
): Promise<Lab> {
  const before = await openLab(name);
  const agentFlags = [...(options.agentFlags ?? before.spec.agentFlags)];
  await writeSpec(before.folder, { ...before.spec, encryption, agentFlags });
  const lab = await openLab(name);
  if (lab.spec.through === 'resource') {
    const target = await apiTarget(lab.kubeconfig);
    await applyMesh(lab, target, switched(await meshSpec(target), encryption));
  } else {
    for (const node of lab.topology.members) await stopAgent(lab, node);
    for (const node of lab.topology.members) await startAgent(lab, node);
  }
  await untilSettled(lab, options);
  return lab;
}

/** Another driver comes with the next generation. */
function switched(spec: Spec, encryption: LabSpec['encryption']): Spec {
  const { encryption: has = 'none', generation = 1 } = spec;
  const moves = has !== 'none' && encryption !== 'none' && has !== encryption;
  return { ...spec, encryption, ...(moves ? { generation: generation + 1 } : {}) };
}

/** Ends a lab and removes all of it, whole or half-made; says whether there was anything. Throws `LAB_NODES_LEFT` last. */
export async function labDown(name = 'lab'): Promise<boolean> {
  requireRoot();
  topology({ name, nodes: 1, pods: 1, ipv6: false });
  const lab = await openLab(name).catch(() => undefined);
  let left: Error | undefined;
  if (lab) {
    for (const node of lab.topology.members) await stopAgent(lab, node, 'SIGKILL');
    await stopController(lab, 'SIGKILL');
    if (lab.spec.kubeconfig !== undefined) {
      await deleteObjects(lab).catch((error: Error) => {
        left = error;
      });
    }
    await stopApi(lab);
  }
  const namespaces = await destroyNamespaces(namespacePrefix(name));
  await removeFolder(name);
  await rmdir(LABS_FOLDER).catch(() => undefined);
  if (left) throw left;
  return lab !== undefined || namespaces > 0;
}

/** Kills the agent, or the whole node with all that was in its memory, as a power cut does. */
export async function killNode(lab: Lab, name: string, what: 'agent' | 'node'): Promise<void> {
  const node = nodeNamed(lab, name);
  await stopAgent(lab, node, 'SIGKILL');
  if (what === 'agent') return;
  await destroyNodeNetwork(lab.topology, node);
  await forgetMemory(lab, node);
}

/** Brings back what is missing of a node: its network, its agent. Does not wait for the agent. */
export async function startNode(lab: Lab, name: string): Promise<void> {
  const node = nodeNamed(lab, name);
  const namespaces = await run(['ip', 'netns', 'list']);
  const there = namespaces.split('\n').some((line) => line.split(' ')[0] === node.netns);
  if (!there) await bootNode(lab, name);
  await startAgent(lab, node);
}

/** A node that is off is on, with its network and its pods; no agent yet. */
export async function bootNode(lab: Lab, name: string): Promise<void> {
  await createNodeNetwork(lab.topology, nodeNamed(lab, name), doorAtBoot(lab, name));
}

/** What a node's disk has for nft(8) to load when it boots. */
export const doorAtBoot = (lab: Lab, name: string): string =>
  join(kernelFolder(nodeFolders(lab, name).state), BOOT_DOOR);

/** Runs a command inside a node and returns its standard output. Throws `CommandError`. */
export function runInNode(lab: Lab, name: string, command: readonly string[]): Promise<string> {
  return run(inNode(lab, nodeNamed(lab, name), command));
}

/** `sheath` on the PATH of `lab exec`. */
async function writeWrapper(lab: Lab): Promise<void> {
  const path = join(lab.folder, 'bin', 'sheath');
  const quoted = lab.spec.program.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  await writeFile(path, `#!/bin/sh\nexec ${quoted} "$@"\n`);
  await chmod(path, 0o755);
}

/** A lab that did not come up is taken away; why, is in its logs. */
async function keepLogs(lab: Lab): Promise<void> {
  const kept = `/tmp/sheath-lab-${lab.name}-logs`;
  await mkdir(kept, { recursive: true });
  await promisify(execFile)('cp', ['-r', `${lab.folder}/logs/.`, kept]).catch(() => undefined);
}

function requireRoot(): void {
  if (process.getuid?.() !== 0) {
    throw new LabError(
      'LAB_NOT_PERMITTED',
      'a lab is made of network namespaces, which takes root: run it with sudo',
    );
  }
}

/** What a lab keeps on disk: everything in one folder, which `down` removes. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { LabError } from '../errors.ts';
import { type Topology, topology } from './topology.ts';

export const LABS_FOLDER = '/run/sheath-lab';

const specSchema = z.object({
  name: z.string(),
  nodes: z.int(),
  pods: z.int(),
  ipv6: z.boolean(),
  ipv4: z.boolean().optional(),
  /** argv that the program's commands are appended to. */
  program: z.array(z.string()),
  encryption: z.enum(['none', 'wireguard', 'ipsec']),
  /** Whether agents are told by flag, or read the EncryptionMesh. */
  through: z.enum(['flag', 'resource']),
  /** The kubeconfig of a real API server; absent: the embedded one. */
  kubeconfig: z.string().optional(),
  /** Further flags of every agent. */
  agentFlags: z.array(z.string()),
});

export type LabSpec = z.infer<typeof specSchema>;

/** A lab that is up, or half up. */
export interface Lab {
  readonly name: string;
  readonly spec: LabSpec;
  readonly topology: Topology;
  readonly folder: string;
  /** Reaches the API from the machine's own namespace. */
  readonly kubeconfig: string;
  /** Reaches it from the lab's namespaces. */
  readonly nodeKubeconfig: string;
}

export function labFolder(name: string): string {
  return join(LABS_FOLDER, name);
}

/** Paths of one node. The folders outlive its agent; `run` does not outlive a reboot. */
export function nodeFolders(lab: Lab, node: string) {
  const folder = join(lab.folder, 'nodes', node);
  return {
    state: join(folder, 'state'),
    run: join(folder, 'run'),
    /** Where the agent has wireguard-go's sockets; wg(8) looks for them in /var/run/wireguard. */
    wireguard: join(folder, 'run', 'wireguard'),
    log: join(lab.folder, 'logs', `${node}.log`),
    pid: join(folder, 'agent.pid'),
  };
}

/** Takes the name: throws `LAB_EXISTS` when it is taken. */
export async function createFolder(spec: LabSpec): Promise<Lab> {
  const folder = labFolder(spec.name);
  await mkdir(LABS_FOLDER, { recursive: true, mode: 0o755 });
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (cause) {
    const named = spec.name === 'lab' ? '' : ` --name ${spec.name}`;
    const ways = `see it with 'sheath lab status${named}', or end it with 'sheath lab down${named}'`;
    throw new LabError('LAB_EXISTS', `the lab "${spec.name}" is up already: ${ways}`, { cause });
  }
  await Promise.all(['logs', 'bin', 'nodes'].map((part) => mkdir(join(folder, part))));
  await writeSpec(folder, spec);
  return labOf(spec);
}

export async function writeSpec(folder: string, spec: LabSpec): Promise<void> {
  const path = join(folder, 'lab.json');
  await writeFile(`${path}.new`, `${JSON.stringify(spec, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/** The lab of that name. Throws `LAB_ABSENT`. */
export async function openLab(name = 'lab'): Promise<Lab> {
  try {
    const text = await readFile(join(labFolder(name), 'lab.json'), 'utf8');
    return labOf(specSchema.parse(JSON.parse(text)));
  } catch (cause) {
    const named = name === 'lab' ? '' : ` --name ${name}`;
    throw new LabError('LAB_ABSENT', `there is no lab "${name}": begin one with 'sheath lab up${named}'`, {
      cause,
    });
  }
}

export async function removeFolder(name: string): Promise<void> {
  await rm(labFolder(name), { recursive: true, force: true });
}

function labOf(spec: LabSpec): Lab {
  const folder = labFolder(spec.name);
  return {
    name: spec.name,
    spec,
    topology: topology(spec),
    folder,
    kubeconfig: join(folder, 'kubeconfig'),
    nodeKubeconfig: join(folder, 'kubeconfig-nodes'),
  };
}

/** What is left: of the mesh in a node's kernel, and of a lab on the machine. */
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LABS_FOLDER, type Lab } from './nodes/folder.ts';
import { runInNode } from './nodes/lab.ts';
import { namespacePrefix } from './nodes/topology.ts';

/** Devices, the firewall's table, routing tables, ports, and IPsec's states and policies; the lab's own namespaces are called `sheath.…`. */
const OURS = /\bsheath(?!\.)|5183[01]|^src |charon\.vici/;
const KERNEL_STATE = [
  ['ip', '-o', 'link'],
  ['ip', '-o', 'rule'],
  ['ip', '-6', '-o', 'rule'],
  ['ip', '-o', 'route', 'show', 'table', 'all'],
  ['ip', '-6', '-o', 'route', 'show', 'table', 'all'],
  ['nft', 'list', 'tables'],
  ['ip', '-o', 'xfrm', 'state'],
  ['ip', '-o', 'xfrm', 'policy'],
  ['sh', '-c', 'ls "$SHEATH_RUN_DIR"/*/charon.vici 2>/dev/null || true'],
] as const;

/** What of ours the node's kernel still has, a line each. */
export async function leftInNode(lab: Lab, node: string): Promise<readonly string[]> {
  const answers = await Promise.all(KERNEL_STATE.map((command) => runInNode(lab, node, command)));
  return answers.flatMap((text) => text.split('\n')).filter((line) => OURS.test(line));
}

const NETNS_FOLDER = '/run/netns';

/** A namespace is its inode: a process can hold one whose name is gone. */
export type Inodes = ReadonlySet<number>;

export async function namespacesOf(name: string): Promise<Inodes> {
  const paths = (await namespaceNames(name)).map((netns) => join(NETNS_FOLDER, netns));
  return new Set(await Promise.all(paths.map(async (path) => (await stat(path)).ino)));
}

/** @param inodes Of the lab's namespaces, while it stood. */
export async function leftovers(name: string, inodes: Inodes): Promise<readonly string[]> {
  const folder = join(LABS_FOLDER, name);
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const inside = await Promise.all(
    pids.map(async (pid) => {
      const inode = await stat(`/proc/${pid}/ns/net`).then(({ ino }) => ino, noLongerThere);
      return inode !== undefined && inodes.has(inode) ? [`process ${pid}`] : [];
    }),
  );
  return [...(await namespaceNames(name)), ...(isThere ? [folder] : []), ...inside.flat()];
}

async function namespaceNames(name: string): Promise<readonly string[]> {
  const names = await readdir(NETNS_FOLDER).catch(() => []);
  return names.filter((netns) => netns.startsWith(namespacePrefix(name)));
}

function noLongerThere(): undefined {
  return undefined;
}

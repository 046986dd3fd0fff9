/** What the kernel of a node holds of the mesh, item by item, and what it tells of while it is changed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { exited } from '../../../lab/processes.ts';
import { FLUSH_ADDRESS } from '../../../tunnels/routing/flush.ts';
import type { Honest } from '../../operator/bad-records.ts';
import type { Mesh } from './mesh.ts';

export interface Held {
  /** What the driver has (`peer KEY ENDPOINT KEEPALIVE`, `allowed KEY PREFIX`), and routes and rules as ip(8) lists them; sorted. */
  readonly items: readonly string[];
  /** By public key, or address: bytes received. A peer that was made anew begins at 0. */
  readonly received: ReadonlyMap<string, number>;
}

const LISTS = [
  'ip route show table 51830; ip route show table 51831',
  'ip -6 route show table 51830; ip -6 route show table 51831',
  'ip rule; ip -6 rule',
].join('; ');

export async function heldBy(mesh: Mesh, node: string): Promise<Held> {
  const { items, received } = await mesh.view.held(mesh, node);
  const lists = (await mesh.on(node, LISTS)).split('\n').filter((line) => line !== '');
  return { items: [...items, ...lists.map((line) => line.trim())].sort(), received };
}

/** Whether an item, or a line of a monitor, is about one of these. */
export function isAbout(nodes: readonly Honest[]): (item: string) => boolean {
  const names = nodes.flatMap(({ publicKey, prefix, prefix6, address }) => [
    ...[publicKey, prefix, prefix6],
    ...[address, `${address}/32`],
  ]);
  // An address that comes and goes whenever routes do.
  const marks = new Set([...names, FLUSH_ADDRESS, FLUSH_ADDRESS.replace('/128', '')]);
  return (item) => item.split(/\s+/).some((word) => marks.has(word));
}

/** Follows what is changed in a node: links, addresses, routes and rules. The result ends it, and returns the lines. */
export async function watchKernel(netns: string): Promise<() => Promise<readonly string[]>> {
  const child = spawn('ip', ['-o', '-n', netns, 'monitor', 'link', 'address', 'route', 'rule'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let heard = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  return async () => {
    assert.equal(child.exitCode, null, 'the monitor ran all the time');
    child.kill('SIGTERM');
    await exited(child);
    return heard.split('\n').filter((line) => line.trim() !== '');
  };
}

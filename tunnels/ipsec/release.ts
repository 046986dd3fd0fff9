/** Takes back what a generation has in charon and in the kernel: connections, SAs, its key, policies and states. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PublicKey } from '../../keys/generation.ts';
import { generationOfId, generationOfName, interfaceId, keyOf, namePrefix } from './connection.ts';
import type { Daemon } from './daemon.ts';
import { charonKeyId } from './key-encoding.ts';
import { listConnections, listSas } from './security.ts';
import type { Xfrm } from './xfrm/types.ts';

/** Milliseconds in which peers are told; what is left of the states then goes without them. */
const FAREWELL = 1_000;
const STEP = 50;

export interface ReleaseOptions {
  readonly daemon: Daemon;
  readonly xfrm: Xfrm;
  /** No other device needs charon. */
  readonly last: boolean;
  /** Our key of the generation, when it is known; otherwise its connections tell. */
  readonly ownKey?: PublicKey | undefined;
}

/** A charon of ours that has nothing left to do is ended. */
export async function releaseGeneration(generation: number, options: ReleaseOptions): Promise<void> {
  const { daemon, xfrm } = options;
  const isOurs = (id: number) => id === interfaceId(generation);
  const policies = await xfrm.policies(isOurs);
  await xfrm.write(policies.map((policy) => ({ type: 'removePolicy', policy })));
  if (await daemon.alive()) await releaseCharon(generation, options);
  const deadline = performance.now() + FAREWELL;
  let states = await xfrm.states(isOurs);
  while (states.length > 0 && performance.now() < deadline && (await daemon.alive())) {
    await sleep(STEP);
    states = await xfrm.states(isOurs);
  }
  await xfrm.write(states.map((state) => ({ type: 'removeState', state })));
  if (options.last && (await isIdle(options))) await daemon.stop();
}

/** One that does not answer, with no state of ours left in the kernel, has nothing to do either: it would keep its ports for ever. */
async function isIdle({ daemon, xfrm }: ReleaseOptions): Promise<boolean> {
  if (await daemon.alive()) return (await listConnections(daemon.client)).size === 0;
  return (await xfrm.states((id) => generationOfId(id) !== undefined)).length === 0;
}

/** What generations left whose devices went without us. @param held those that have a device */
export async function releaseLeftovers(
  held: readonly number[],
  { daemon, xfrm }: Pick<ReleaseOptions, 'daemon' | 'xfrm'>,
): Promise<void> {
  const options = { daemon, xfrm, last: held.length === 0 };
  const kept = new Set(held.map(interfaceId));
  const isLeft = (id: number) => generationOfId(id) !== undefined && !kept.has(id);
  const inKernel = [...(await xfrm.policies(isLeft)), ...(await xfrm.states(isLeft))];
  const found = new Set(inKernel.map(({ interfaceId }) => generationOfId(interfaceId)));
  if (await daemon.alive()) {
    const names = [...(await listConnections(daemon.client)).keys()];
    for (const number of names.map(generationOfName)) {
      if (number === undefined || kept.has(interfaceId(number))) continue;
      // charon tells it whole.
      found.delete(number & 0xffff);
      found.add(number);
    }
    if (names.length === 0 && options.last) await daemon.stop();
  }
  for (const generation of found) {
    if (generation !== undefined) await releaseGeneration(generation, options);
  }
}

async function releaseCharon(generation: number, { daemon, ownKey }: ReleaseOptions): Promise<void> {
  const { client } = daemon;
  const own = namePrefix(generation);
  // What is refused is gone already, or goes with charon.
  const ask = (command: string, message: Record<string, string>) =>
    client.request(command, message).catch(() => undefined);
  const loaded = [...(await listConnections(client))].filter(([name]) => name.startsWith(own));
  const names = new Set(loaded.map(([name]) => name));
  for (const { name } of await listSas(client)) if (name.startsWith(own)) names.add(name);
  for (const name of names) {
    await ask('unload-conn', { name });
    await ask('terminate', { ike: name, timeout: '-1' });
  }
  // Whoever loaded it may be gone: the connections tell which it was.
  const keys = new Set([ownKey ?? [], ...loaded.map(([, { localId }]) => keyOf(localId) ?? [])].flat());
  for (const key of keys) await ask('unload-key', { id: charonKeyId(key) });
}

/** `sheath uninstall`: switch off, wait until every node is as it was, then delete what was installed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { MESH } from '../../operator/config/resource.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import { nodePath } from '../../operator/kube/node.ts';
import { type Located, objectPath } from '../../operator/kube/paths.ts';
import { manifests } from '../../operator/manifests/all.ts';
import { POLICIES } from '../../operator/manifests/names.ts';
import { DEFAULT_OPTIONS } from '../../operator/manifests/options.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { RolloutCluster, type Snapshot } from './cluster.ts';
import { confirm } from './confirm.ts';
import { switchOff } from './disable.ts';
import { type RolloutFlags, timeoutOf } from './options.ts';
import { finish, type RolloutResult } from './result.ts';

export interface UninstallFlags extends RolloutFlags {
  readonly namespace: string;
  readonly force?: boolean;
}

/** @throws CliError, KubeError */
export async function uninstall(flags: UninstallFlags, context: Context): Promise<void> {
  const timeout = timeoutOf(flags);
  const cluster = await RolloutCluster.open(flags, { timeout, context });
  try {
    const snapshot = await snapshotIfInstalled(cluster);
    if (flags.yes !== true)
      await confirm(
        [
          {
            text: 'Encryption will be switched off and Sheath deleted from this cluster.',
            answer: 'uninstall',
          },
        ],
        context,
      );
    const off =
      snapshot === undefined
        ? undefined
        : await switchOff({ cluster, snapshot, timeout, wait: true }, context);
    if (off?.reached === false && flags.force !== true)
      return await finish(
        {
          ...off,
          message: `${off.message}: nothing was deleted; --force deletes all the same, and 'sheath cleanup' then cleans a node by itself`,
        },
        flags,
        context,
      );
    const work = { cluster, flags, deadline: performance.now() + timeout };
    await deleteResource(work, context);
    const deleted = await deleteObjects(work, context);
    await takeAnnotations(cluster, snapshot, context);
    await finish(resultOf(deleted, off), flags, context);
  } finally {
    cluster.close();
  }
}

interface Work {
  readonly cluster: RolloutCluster;
  readonly flags: UninstallFlags;
  /** By `performance.now()`. */
  readonly deadline: number;
}

/** Undefined: the kind is not known here any more, so there is nothing to switch off. */
async function snapshotIfInstalled(cluster: RolloutCluster): Promise<Snapshot | undefined> {
  try {
    return await cluster.snapshot();
  } catch (error) {
    if (error instanceof CliError && error.code === 'CRD_MISSING') return undefined;
    throw error;
  }
}

/** Its finalizer is the controller's to take off; by force it is ours. */
async function deleteResource({ cluster, flags, deadline }: Work, context: Context): Promise<void> {
  const { client } = cluster;
  let there = await ifThere(client.delete(MESH, { signal: context.signal }));
  // Afterwards: of what is not being deleted, the controller would put it back.
  if (flags.force === true) await ifThere(client.merge(MESH, { metadata: { finalizers: null } }));
  while (there !== undefined) {
    there = await ifThere(client.get(MESH, { signal: context.signal }));
    if (there === undefined) return;
    if (performance.now() >= deadline)
      throw new CliError(
        'EncryptionMesh default does not go: its finalizer is taken off by the controller when no node holds keys; does it run? --force takes it off',
        { code: 'FINALIZER_LEFT', exitCode: EXIT.wrong },
      );
    await sleep(250, undefined, { signal: context.signal });
  }
}

/** What holds deletions back goes first, then the rest from the end. @returns what there was, in words */
async function deleteObjects({ cluster, flags }: Work, context: Context): Promise<readonly string[]> {
  // Each is one of ours, made by `manifests`, and so has a kind and a name.
  const objects = manifests({
    ...DEFAULT_OPTIONS,
    namespace: flags.namespace,
    cronjob: '@yearly',
  }) as readonly Located[];
  const keep = objects.filter(({ metadata }) => metadata.name === POLICIES.keep);
  const rest = objects
    .filter((object) => !keep.includes(object) && object.kind !== 'EncryptionMesh')
    .reverse();
  const deleted: string[] = [];
  for (const object of [...keep.reverse(), ...rest]) {
    const found = await ifThere(cluster.client.delete(objectPath(object), { signal: context.signal }));
    if (found !== undefined) deleted.push(`${object.kind} ${object.metadata.name}`);
  }
  return deleted;
}

/** The agents took back all but what they say of themselves. */
async function takeAnnotations(
  cluster: RolloutCluster,
  snapshot: Snapshot | undefined,
  context: Context,
): Promise<void> {
  const annotations = Object.fromEntries(Object.values(ANNOTATIONS).map((name) => [name, null]));
  for (const { name } of snapshot?.nodes ?? [])
    await ifThere(
      cluster.client.merge(nodePath(name), { metadata: { annotations } }, { signal: context.signal }),
    );
}

function resultOf(deleted: readonly string[], off: RolloutResult | undefined): RolloutResult {
  const message =
    deleted.length === 0
      ? 'nothing of Sheath was left in this cluster'
      : `uninstalled: ${deleted.length} objects deleted`;
  return { message, changed: off?.changed ?? {}, waiting: off?.waiting ?? [] };
}

async function ifThere(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof KubeError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Nodes that nobody waits for: `spec.rotation.passOver`. They stay in it until a person takes them out. */

import type { Straggler } from '../../mesh/progress.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import type { RolloutCluster, Snapshot } from './cluster.ts';
import type { RolloutResult } from './result.ts';

/** In place of a name: all are waited for again. */
const NOBODY = 'none';
const TRIES = 5;

/** Returns what was changed; also of a mesh that is being switched off. @throws KubeError; CliError `USAGE`, `NOT_ENABLED`, `CONFLICT` */
export async function passOver(
  cluster: RolloutCluster,
  names: readonly string[],
): Promise<RolloutResult['changed']> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const snapshot = await cluster.snapshot();
    requireNodes(snapshot, names);
    const { mesh } = snapshot;
    if (mesh === undefined)
      throw new CliError('there is no EncryptionMesh default, so nobody waits for anybody', {
        code: 'NOT_ENABLED',
        exitCode: EXIT.wrong,
      });
    const had = mesh.spec.rotation?.passOver ?? [];
    const next = names.includes(NOBODY) ? [] : [...new Set([...had, ...names])].sort();
    if (next.join() === [...had].sort().join()) return {};
    const spec = { rotation: { passOver: next.length === 0 ? null : next } };
    try {
      await cluster.change(spec, mesh);
      return spec;
    } catch (error) {
      // Somebody else's names must not be lost: look again.
      if (!(error instanceof KubeError && error.code === 'CONFLICT')) throw error;
    }
  }
  throw new CliError('somebody else keeps changing EncryptionMesh default; nothing was changed, try again', {
    code: 'CONFLICT',
    exitCode: EXIT.wrong,
  });
}

function requireNodes({ nodes }: Snapshot, names: readonly string[]): void {
  if (names.includes(NOBODY) && names.length > 1)
    throw usageError(`--pass-over ${NOBODY} takes no names beside it`);
  const unknown = names.find((name) => name !== NOBODY && !nodes.some((node) => node.name === name));
  if (unknown !== undefined)
    throw usageError(`--pass-over ${unknown}: there is no such Node, so nobody waits for it`);
}

/** The way past whoever is waited for, as the end of a sentence. Pure. */
export function wayPast([first]: readonly Straggler[]): string {
  return first === undefined
    ? ''
    : `; one that is gone for good is passed over with 'sheath rotate --pass-over ${first.node}'`;
}

/** Who is not counted in a result, as the end of its sentence; empty: all are. Pure. */
export function notCounted({ mesh, nodes }: Snapshot): string {
  const names = mesh?.spec.rotation?.passOver ?? [];
  const there = nodes.filter(({ name }) => names.includes(name)).map(({ name }) => name);
  return there.length === 0 ? '' : `; not counted: ${there.join(', ')} (spec.rotation.passOver)`;
}

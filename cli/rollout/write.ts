/** Writing the resource: only what differs, and never over somebody else's change. */
import type { Spec } from '../../operator/config/schema.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import { CliError, EXIT } from '../exit.ts';
import type { RolloutCluster, Snapshot } from './cluster.ts';

/** The fields of `wish` that are not so in `spec`. Lists and selectors count as wholes. */
export function difference(wish: Spec, spec: Spec): Readonly<Record<string, unknown>> {
  const has: Readonly<Record<string, unknown>> = spec;
  const { ipsec, ...fields } = wish;
  const changed = Object.entries(fields).filter(([field, value]) => isOther(value, has[field]));
  const settings = Object.entries(ipsecPatch(ipsec, spec.ipsec)).filter(([field, value]) =>
    isOther(value, spec.ipsec?.[field as keyof typeof spec.ipsec]),
  );
  return Object.fromEntries([
    ...changed,
    ...(settings.length === 0 ? [] : [['ipsec', Object.fromEntries(settings)]]),
  ]);
}

function isOther(value: unknown, has: unknown): boolean {
  return JSON.stringify(value ?? undefined) !== JSON.stringify(has);
}

/** Lists that are written win over a profile: whoever names a profile takes them away. */
function ipsecPatch(wish: Spec['ipsec'], has: Spec['ipsec']): Readonly<Record<string, unknown>> {
  const lists = (['ikeProposals', 'espProposals'] as const).filter((field) => has?.[field] !== undefined);
  const gone = wish?.profile === undefined ? [] : lists.map((field) => [field, null] as const);
  return { ...Object.fromEntries(gone), ...wish };
}

const TRIES = 5;

/**
 * Returns what was changed; empty when it was so already.
 * @param wishOf what is wished of the cluster as it is: asked again where somebody else was faster
 * @throws KubeError; CliError `CONFLICT`; what `wishOf` does
 */
export async function changeSpec(
  cluster: RolloutCluster,
  seen: Snapshot,
  wishOf: Spec | ((snapshot: Snapshot) => Spec),
): Promise<Readonly<Record<string, unknown>>> {
  let snapshot = seen;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const wish = typeof wishOf === 'function' ? wishOf(snapshot) : wishOf;
    const changed = difference(wish, snapshot.mesh?.spec ?? {});
    if (Object.keys(changed).length === 0) return {};
    try {
      await cluster.change(replacing(wish, snapshot.mesh?.spec), snapshot.mesh);
      return changed;
    } catch (error) {
      if (!(error instanceof KubeError && error.code === 'CONFLICT')) throw error;
      snapshot = await cluster.snapshot();
    }
  }
  throw new CliError('somebody else keeps changing EncryptionMesh default; nothing was changed, try again', {
    code: 'CONFLICT',
    exitCode: EXIT.wrong,
  });
}

/** A merge patch merges mappings: a selector is replaced whole only when its former parts are taken away by name. */
function replacing(wished: Spec, spec: Spec | undefined): Record<string, unknown> {
  const { ipsec, ...fields } = wished;
  const wish = { ...fields, ...(ipsec === undefined ? {} : { ipsec: ipsecPatch(ipsec, spec?.ipsec) }) };
  if (wish.nodeSelector === undefined) return wish;
  const { matchLabels = {}, matchExpressions } = spec?.nodeSelector ?? {};
  const gone = Object.fromEntries(Object.keys(matchLabels).map((label) => [label, null]));
  const nodeSelector = {
    ...(matchExpressions === undefined ? {} : { matchExpressions: null }),
    ...(Object.keys(gone).length === 0 && wish.nodeSelector.matchLabels === undefined
      ? {}
      : { matchLabels: { ...gone, ...wish.nodeSelector.matchLabels } }),
  };
  return { ...wish, nodeSelector };
}

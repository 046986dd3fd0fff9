/** Objects that somebody has to let go first: a delete marks them, and they end with the last of `metadata.finalizers`. */
import { type JsonObject, type KubeObject, metadataOf, type Resource } from './objects.ts';
import { invalid } from './status-error.ts';

/** Set by the server alone. */
export const OF_DELETION = ['deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

export function isHeld(object: JsonObject): boolean {
  return finalizersOf(object).length > 0;
}

export function isDeleted(object: JsonObject): boolean {
  return metadataOf(object).deletionTimestamp !== undefined;
}

/** The object as a delete leaves it; the same one when it was deleted before. */
export function marked(live: KubeObject, now: string): JsonObject {
  if (isDeleted(live)) return live;
  const { generation } = live.metadata;
  const metadata = {
    ...live.metadata,
    deletionTimestamp: now,
    deletionGracePeriodSeconds: 0,
    ...(typeof generation === 'number' && { generation: generation + 1 }),
  };
  return { ...live, metadata };
}

/** Throws `StatusError` 422 where a deleted object is to be held by one more. */
export function requireNoNewFinalizers(resource: Resource, live: KubeObject, next: JsonObject): void {
  if (!isDeleted(live)) return;
  const added = finalizersOf(next).filter((name) => !finalizersOf(live).includes(name));
  if (added.length > 0)
    throw invalid(
      resource,
      live.metadata.name,
      `metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
    );
}

function finalizersOf(object: JsonObject): readonly string[] {
  const { finalizers } = metadataOf(object);
  return Array.isArray(finalizers) ? finalizers.filter((name) => typeof name === 'string') : [];
}

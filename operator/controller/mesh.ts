/** The resource as the controller sees it. */
import { type EncryptionMesh, type MeshStatus, RESOURCE_NAME } from '../config/resource.ts';
import type { Spec } from '../config/schema.ts';
import { parseMesh } from '../resource/parse.ts';

export interface SeenMesh {
  readonly metadata: EncryptionMesh['metadata'] & { readonly uid: string; readonly resourceVersion: string };
  /** What is wished, also of a resource that is being deleted; empty where the spec is invalid. */
  readonly wish: Spec;
  readonly status: MeshStatus | undefined;
  /** What is wrong with its spec. */
  readonly invalid: string | undefined;
}

/** Undefined when it is not the one that counts. */
export function keepMesh(object: unknown): SeenMesh | undefined {
  const { metadata, status } = object as {
    metadata?: Partial<EncryptionMesh['metadata']>;
    status?: MeshStatus;
  };
  const { uid, resourceVersion } = metadata ?? {};
  if (metadata?.name !== RESOURCE_NAME || uid === undefined || resourceVersion === undefined)
    return undefined;
  const seen = { metadata: { ...metadata, name: RESOURCE_NAME, uid, resourceVersion }, status };
  try {
    return { ...seen, wish: parseMesh(object).spec, invalid: undefined };
  } catch (error) {
    return { ...seen, wish: {}, invalid: error instanceof Error ? error.message : String(error) };
  }
}

/** The newer of what the watch shows and what a write of ours was answered. */
export function newest(seen: SeenMesh | undefined, written: SeenMesh | undefined): SeenMesh | undefined {
  if (seen === undefined || written === undefined || seen.metadata.uid !== written.metadata.uid) return seen;
  const [one, other] = [seen.metadata.resourceVersion, written.metadata.resourceVersion];
  const comparable = /^\d+$/.test(one) && /^\d+$/.test(other);
  return comparable && BigInt(other) > BigInt(one) ? written : seen;
}

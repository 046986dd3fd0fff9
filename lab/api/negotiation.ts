/** What a client accepts: whole objects, or their metadata only. */
import type { JsonObject, KubeObject } from './objects.ts';
import { StatusError } from './status-error.ts';

export type View = 'whole' | 'metadata';

/**
 * Reads an `Accept` header: the first alternative that can be served wins. Throws 406 when there is none, as for protobuf
 * alone. `Table`, which kubectl prefers, is not served; it falls back to JSON by itself.
 */
export function view(accept: string | undefined, wants: 'object' | 'list'): View {
  const kind = wants === 'list' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata';
  for (const alternative of (accept || '*/*').split(',')) {
    const [type = '', ...parameters] = alternative.split(';').map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    const as = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string]));
    if (!as.has('as')) return 'whole';
    if (as.get('as') === kind && as.get('g') === 'meta.k8s.io' && as.get('v') === 'v1') return 'metadata';
  }
  const message = 'only the following media types are accepted: application/json';
  throw new StatusError(406, 'NotAcceptable', message);
}

export function partialMetadata(object: KubeObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

/** Lists, whole or in pages that all show the state of the first. */

import { partialMetadata, type View } from './negotiation.ts';
import { apiVersion, type JsonObject, type KubeObject, type Resource } from './objects.ts';
import { selector } from './selectors.ts';
import { badRequest, expired } from './status-error.ts';
import type { Snapshot, Store } from './store.ts';

export interface ListRequest {
  readonly resource: Resource;
  /** Undefined for all namespaces. */
  readonly namespace?: string;
  readonly query: URLSearchParams;
  readonly view: View;
}

/** So many paged lists are remembered at once; the oldest is forgotten first. */
const REMEMBERED = 32;

export class Lists {
  readonly #store: Store;
  /** By resource version: what the pages after the first are cut from. */
  readonly #snapshots = new Map<string, Snapshot>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Continue tokens given out so far answer 410 from now on. */
  forget(): void {
    this.#snapshots.clear();
  }

  /** `from` is the state to show when it is not today's: a stale list. */
  list(request: ListRequest, from?: Snapshot): JsonObject {
    const { query, resource } = request;
    const token = query.get('continue');
    const { snapshot, start } = token
      ? this.#resume(resource, token)
      : { snapshot: from ?? this.#store.list(resource, request.namespace), start: 0 };
    const limit = Number(query.get('limit') ?? 0);
    if (!Number.isInteger(limit) || limit < 0)
      throw badRequest(`limit: Invalid value: ${query.get('limit')}`);
    const matches = selector(query);
    const chosen = snapshot.objects.filter(matches);
    const page = limit === 0 ? chosen.slice(start) : chosen.slice(start, start + limit);
    const left = chosen.length - start - page.length;
    return {
      ...listKind(request),
      metadata: {
        resourceVersion: String(snapshot.version),
        ...(left > 0 && { continue: this.#remember(request, snapshot, start + page.length) }),
        ...(left > 0 &&
          !query.get('labelSelector') &&
          !query.get('fieldSelector') && { remainingItemCount: left }),
      },
      items: request.view === 'metadata' ? page.map(partialMetadata) : page.map(bare),
    };
  }

  #remember({ resource, namespace = '' }: ListRequest, snapshot: Snapshot, start: number): string {
    const id = `${resource.group}/${resource.plural}/${namespace}/${snapshot.version}`;
    this.#snapshots.delete(id);
    this.#snapshots.set(id, snapshot);
    for (const oldest of this.#snapshots.keys()) {
      if (this.#snapshots.size <= REMEMBERED) break;
      this.#snapshots.delete(oldest);
    }
    return Buffer.from(JSON.stringify({ id, start })).toString('base64url');
  }

  #resume(resource: Resource, token: string): { readonly snapshot: Snapshot; readonly start: number } {
    const { id, start } = readToken(token);
    if (!id.startsWith(`${resource.group}/${resource.plural}/`))
      throw badRequest('continue key is not valid');
    const snapshot = this.#snapshots.get(id);
    if (!snapshot) {
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You must start a new list ' +
          'without the continue parameter.',
      );
    }
    return { snapshot, start };
  }
}

function readToken(token: string): { readonly id: string; readonly start: number } {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && 'id' in value && 'start' in value) {
      return { id: String(value.id), start: Number(value.start) };
    }
  } catch {
    // The answer is the same as for a token of another shape.
  }
  throw badRequest('continue key is not valid: it is not a token of this server');
}

function listKind({ view, resource }: ListRequest): JsonObject {
  return view === 'metadata'
    ? { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }
    : { kind: `${resource.kind}List`, apiVersion: apiVersion(resource) };
}

/** Items of a list of a built-in kind carry no kind; clients know it from the list's. */
function bare(object: KubeObject): JsonObject {
  if (object.apiVersion.includes('.dev/')) return object;
  const { kind: _, apiVersion: __, ...rest } = object;
  return rest;
}

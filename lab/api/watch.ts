/** Watches: what happened since a resource version, then what happens, as one JSON document a line. */
import type { ServerResponse } from 'node:http';
import { partialMetadata, type View } from './negotiation.ts';
import { apiVersion, type JsonObject, type KubeObject, type Resource } from './objects.ts';
import { type Selector, selector } from './selectors.ts';
import { badRequest, StatusError } from './status-error.ts';
import type { Change, Store } from './store.ts';

export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace?: string;
  readonly query: URLSearchParams;
  readonly view: View;
}

/** A client that reads slower than this many bytes behind is cut off, as the real server does. */
const BACKLOG_BYTES = 64 << 20;
/** A real server ends a watch without `timeoutSeconds` after half an hour to an hour. */
const DEFAULT_TIMEOUT_SECONDS = 1800;
/** The real server sends a last bookmark this long before it ends a watch. */
const LAST_BOOKMARK_SECONDS = 2;

export interface WatchOptions {
  /** Between bookmarks, in milliseconds. The real server's are a minute apart. */
  readonly bookmarkEvery: number;
}

/** Answers `response` with the watch until it times out or the client leaves. Throws what can be said before the first byte. */
export function watch(
  store: Store,
  request: WatchRequest,
  response: ServerResponse,
  options: WatchOptions,
): void {
  const { query } = request;
  const seconds = Number(query.get('timeoutSeconds') ?? DEFAULT_TIMEOUT_SECONDS);
  if (!Number.isFinite(seconds) || seconds < 0) throw badRequest('timeoutSeconds is not a number of seconds');
  const stream = new EventStream(request, response);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  if (!sendPast(store, request, stream)) {
    response.end();
    return;
  }
  const unsubscribe = store.subscribe((change) => stream.change(change));
  const bookmark = (): void => stream.bookmark(store.version);
  const wantsBookmarks =
    query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1';
  const timers = [setTimeout(() => response.end(), seconds * 1000)];
  if (wantsBookmarks) {
    timers.push(setInterval(bookmark, options.bookmarkEvery));
    if (seconds > LAST_BOOKMARK_SECONDS) {
      timers.push(setTimeout(bookmark, (seconds - LAST_BOOKMARK_SECONDS) * 1000));
    }
  }
  response.on('close', () => {
    unsubscribe();
    timers.forEach(clearTimeout);
  });
}

/** What is already there, or what the client missed. Says no when the watch ends with an error at once. */
function sendPast(store: Store, request: WatchRequest, stream: EventStream): boolean {
  const { query, resource, namespace } = request;
  const from = query.get('resourceVersion') ?? '';
  const initial = query.get('sendInitialEvents');
  if (initial === 'true' || (initial !== 'false' && (from === '' || from === '0'))) {
    for (const object of store.list(resource, namespace).objects) stream.added(object);
    if (initial === 'true') stream.bookmark(store.version, true);
    return true;
  }
  try {
    const version = from === '' || from === '0' ? store.version : Number(from);
    for (const change of store.since(resource, version)) stream.change(change);
    return true;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    stream.send('ERROR', error.body());
    return false;
  }
}

class EventStream {
  /** The newest version this client knows of; a bookmark that tells nothing newer is not sent. */
  #known: number;
  readonly #request: WatchRequest;
  readonly #response: ServerResponse;
  readonly #matches: Selector;

  constructor(request: WatchRequest, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    this.#matches = selector(request.query);
    this.#known = Number(request.query.get('resourceVersion') || 0);
  }

  added(object: KubeObject): void {
    if (this.#matches(object)) this.send('ADDED', this.#shown(object));
  }

  /** An object that enters or leaves the selection is added or deleted for this client. */
  change({ type, object, before, resource }: Change): void {
    const { namespace } = this.#request;
    if (resource !== this.#request.resource) return;
    if (namespace !== undefined && object.metadata.namespace !== namespace) return;
    const was = before !== undefined && this.#matches(before);
    const is = type !== 'DELETED' && this.#matches(object);
    if (was || is) this.#known = Number(object.metadata.resourceVersion);
    if (was && is) this.send('MODIFIED', this.#shown(object));
    else if (is) this.send('ADDED', this.#shown(object));
    else if (was) this.send('DELETED', this.#shown(object));
  }

  bookmark(version: number, initialEnd = false): void {
    if (version <= this.#known && !initialEnd) return;
    this.#known = version;
    const metadata: JsonObject = {
      resourceVersion: String(version),
      creationTimestamp: null,
      ...(initialEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
    };
    const { resource, view } = this.#request;
    const kind =
      view === 'metadata'
        ? { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }
        : { kind: resource.kind, apiVersion: apiVersion(resource) };
    this.send('BOOKMARK', { ...kind, metadata });
  }

  send(type: string, object: JsonObject): void {
    this.#response.write(`${JSON.stringify({ type, object })}\n`);
    if (this.#response.writableLength > BACKLOG_BYTES) this.#response.destroy();
  }

  #shown(object: KubeObject): JsonObject {
    return this.#request.view === 'metadata' ? partialMetadata(object) : object;
  }
}

/** The few verbs of the Kubernetes API that we use. What comes back is `unknown`: whoever asks parses it. */
import { StringDecoder } from 'node:string_decoder';
import { codeOfStatus, KubeError, unreachable } from './errors.ts';
import { type Transport, textOf } from './transport.ts';

const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
/** The server ends a watch after `timeoutSeconds`, and sends a bookmark about once a minute. */
const WATCH_SILENCE = 150_000;

export interface KubeClient {
  /** `limit`: bytes, inflated, that are too many. @throws KubeError */
  get(path: string, options?: Asked & { readonly limit?: number }): Promise<unknown>;
  /** Page after page; all of one list have the same resource version. */
  list(path: string, options: ListOptions): AsyncGenerator<ListPage>;
  /** Until the server ends it, which is no error. @throws KubeError */
  watch(path: string, options: WatchOptions): AsyncGenerator<WatchEvent>;
  /** Server-side apply. */
  apply(path: string, object: object, options: ApplyOptions): Promise<unknown>;
  /** JSON merge patch (RFC 7396). */
  merge(path: string, patch: object, options?: Asked): Promise<unknown>;
  create(path: string, object: object, options?: Asked): Promise<unknown>;
  /** What owns others goes before them, in the background. */
  delete(path: string, options?: Asked): Promise<unknown>;
  close(): void;
}

export interface Asked {
  readonly signal?: AbortSignal | undefined;
}

export interface ListOptions extends Asked {
  readonly limit: number;
  /** Only `metadata` of each. */
  readonly metadataOnly?: boolean;
  readonly fieldSelector?: string;
}

export interface ListPage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
}

export interface WatchOptions extends Asked {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  readonly metadataOnly?: boolean;
  readonly fieldSelector?: string;
  /** Milliseconds of silence after which the connection counts as dead; longer than a bookmark's minute. */
  readonly silence?: number;
  /** The server accepted it; events may be long in coming. */
  readonly onOpen?: () => void;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
}

export interface ApplyOptions extends Asked {
  readonly fieldManager: string;
  /** Take fields that another manager holds. */
  readonly force: boolean;
  readonly metadataOnly?: boolean;
}

export function createKubeClient(transport: Transport): KubeClient {
  const json = async (call: Parameters<Transport['send']>[0], limit?: number) => {
    const text = await textOf(await transport.send(call), limit);
    if (limit !== undefined && Buffer.byteLength(text) >= limit) throw tooLarge(call.path, limit);
    return parsed(text, call.path);
  };
  const write = (
    method: 'POST' | 'PATCH',
    path: string,
    more: { type: string; object: object; accept?: string } & Asked,
  ) =>
    json({
      method,
      path,
      signal: more.signal,
      body: { type: more.type, text: JSON.stringify(more.object) },
      ...(more.accept === undefined ? {} : { accept: more.accept }),
    });
  return {
    get: (path, options = {}) => json({ method: 'GET', path, signal: options.signal }, options.limit),
    list: (path, options) => listPages(json, path, options),
    watch: (path, options) => watchEvents(transport, path, options),
    apply: (path, object, options) =>
      write(
        'PATCH',
        `${path}${query({ fieldManager: options.fieldManager, force: options.force ? 'true' : undefined })}`,
        {
          type: 'application/apply-patch+yaml',
          object,
          signal: options.signal,
          ...(options.metadataOnly === true ? { accept: METADATA } : {}),
        },
      ),
    merge: (path, object, options = {}) =>
      write('PATCH', path, { type: 'application/merge-patch+json', object, ...options }),
    create: (path, object, options = {}) =>
      write('POST', path, { type: 'application/json', object, ...options }),
    delete: (path, options = {}) => json({ method: 'DELETE', path, signal: options.signal }),
    close: () => transport.close(),
  };
}

type Json = (call: Parameters<Transport['send']>[0]) => Promise<unknown>;

async function* listPages(json: Json, path: string, options: ListOptions): AsyncGenerator<ListPage> {
  let next: string | undefined;
  do {
    const search = query({
      limit: String(options.limit),
      continue: next,
      fieldSelector: options.fieldSelector,
    });
    const answer = await json({
      method: 'GET',
      path: `${path}${search}`,
      signal: options.signal,
      ...(options.metadataOnly === true ? { accept: METADATA_LIST } : {}),
    });
    const page = listPage(answer, path);
    next = page.next;
    yield { items: page.items, resourceVersion: page.resourceVersion };
  } while (next !== undefined);
}

function listPage(answer: unknown, path: string): ListPage & { readonly next: string | undefined } {
  const { items, metadata } = answer as {
    items?: unknown;
    metadata?: { resourceVersion?: unknown; continue?: unknown };
  };
  // An empty list of the Go server is `null` in some versions.
  const list = items ?? [];
  if (!Array.isArray(list) || typeof metadata?.resourceVersion !== 'string') {
    throw new KubeError('MALFORMED', `GET ${path}: the answer is not a list`);
  }
  const next =
    typeof metadata.continue === 'string' && metadata.continue !== '' ? metadata.continue : undefined;
  return { items: list, resourceVersion: metadata.resourceVersion, next };
}

async function* watchEvents(
  transport: Transport,
  path: string,
  options: WatchOptions,
): AsyncGenerator<WatchEvent> {
  const search = query({
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: options.resourceVersion,
    timeoutSeconds: String(options.timeoutSeconds),
    fieldSelector: options.fieldSelector,
  });
  const body = await transport.send({
    method: 'GET',
    path: `${path}${search}`,
    signal: options.signal,
    timeout: options.silence ?? WATCH_SILENCE,
    ...(options.metadataOnly === true ? { accept: METADATA } : {}),
  });
  options.onOpen?.();
  try {
    for await (const line of linesOf(body)) yield watchEvent(parsed(line, path), path);
  } catch (cause) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    throw cause instanceof KubeError ? cause : unreachable(`watch ${path}`, cause);
  } finally {
    body.destroy();
  }
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let pending: string[] = [];
  for await (const piece of body) {
    const [first = '', ...rest] = decoder.write(piece).split('\n');
    pending.push(first);
    for (const part of rest) {
      const line = pending.join('');
      pending = [part];
      if (line.trim() !== '') yield line;
    }
  }
  // A last line without its end was cut: the event will come again.
}

function watchEvent(raw: unknown, path: string): WatchEvent {
  const { type, object } = raw as { type?: unknown; object?: unknown };
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type, object };
    case 'ERROR': {
      const { code, message } = (object ?? {}) as { code?: unknown; message?: unknown };
      const status = typeof code === 'number' ? code : 500;
      throw new KubeError(codeOfStatus(status), `watch ${path}: ${String(message ?? 'error')}`, { status });
    }
    default:
      throw new KubeError('MALFORMED', `watch ${path}: an event of type ${String(type)}`);
  }
}

function tooLarge(path: string, limit: number): KubeError {
  return new KubeError('MALFORMED', `${path.split('?')[0]}: the answer has ${limit} bytes or more`);
}

function parsed(text: string, path: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    throw new KubeError('MALFORMED', `${path.split('?')[0]}: the answer is not JSON`, { cause });
  }
  throw new KubeError('MALFORMED', `${path.split('?')[0]}: the answer is not an object`);
}

function query(parameters: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(parameters).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

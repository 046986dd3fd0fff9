/**
 * Keeps a picture of a collection: list, then watch, for ever.
 *
 *   list (paged) ──▶ replace ──▶ watch ──┬─ ended by the server ──▶ watch from the last version
 *     ▲                                  ├─ error ──▶ back off ──▶ watch from the last version
 *     └────── 410 Gone, 404 ─────────────┘
 *
 * It never ends by itself: not when the API server is away for hours, nor when a handler throws.
 */
import { type Clock, pause } from '../clock.ts';
import { type Backoff, createBackoff } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';

export interface ReflectorHandler<Item> {
  /** The whole collection. */
  replace(items: readonly Item[]): void;
  upsert(item: Item): void;
  remove(item: Item): void;
  /** Knowledge is as of now: after a list, an event, a bookmark. */
  alive?(): void;
  /** What keeps us from knowing more; undefined: nothing any longer. */
  trouble?(error: KubeError | undefined): void;
  /** A handler of the above threw: its error, for the log. */
  failed?(error: unknown): void;
}

export interface ReflectorOptions<Item> {
  readonly client: KubeClient;
  /** `/api/v1/nodes`. */
  readonly path: string;
  readonly metadataOnly?: boolean;
  /** `metadata.name=default`. */
  readonly fieldSelector?: string;
  /** Keeps what is needed of an object, and nothing of the rest; undefined: nothing is. */
  readonly keep: (object: unknown) => Item | undefined;
  readonly handler: ReflectorHandler<Item>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limit?: number;
  /** Milliseconds to wait at least after this error; when it is not said, what the back-off says. */
  readonly waitAfter?: (error: KubeError) => number;
}

/** Lists older than what we saw are tried again this often; after that they are believed: etcd may have been restored. */
const STALE_LISTS = 3;
/** Milliseconds that a watch must last before its end counts as well. */
const SETTLED = 5_000;

/** Resolves when the signal aborted. */
export async function reflect<Item>(options: ReflectorOptions<Item>, signal: AbortSignal): Promise<void> {
  const { clock, random, handler } = options;
  const backoff = createBackoff({ first: 250, longest: 30_000, random });
  const seen: Seen = { version: undefined, stale: 0, backoff };
  let from: string | undefined;
  while (!signal.aborted) {
    try {
      from ??= await listAll(options, seen, signal);
      from = await watchOnce({ ...options, seen, from }, signal);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = thrown instanceof Interrupted ? thrown.error : asKubeError(thrown);
      from = ANEW.includes(error.code) ? undefined : thrown instanceof Interrupted ? thrown.version : from;
      guarded(handler, () => handler.trouble?.(error));
      const least = Math.max(error.retryAfter ?? 0, options.waitAfter?.(error) ?? 0);
      await pause(clock, Math.max(backoff.next(), least), signal);
    }
  }
}

/** After these the whole collection is read again: of a kind that the server did not know, nobody knows what was missed. */
const ANEW: readonly string[] = ['GONE', 'NOT_FOUND'];

interface Seen {
  /** The newest resource version of any answer. */
  version: string | undefined;
  stale: number;
  readonly backoff: Backoff;
}

/** A watch broke; `version` is as far as it came. */
class Interrupted extends Error {
  readonly error: KubeError;
  readonly version: string;

  constructor(error: KubeError, version: string) {
    super(error.message, { cause: error });
    this.error = error;
    this.version = version;
  }
}

async function listAll<Item>(
  options: ReflectorOptions<Item>,
  seen: Seen,
  signal: AbortSignal,
): Promise<string> {
  const { client, path, handler, keep } = options;
  const items: Item[] = [];
  let version = '';
  for await (const page of client.list(path, {
    limit: options.limit ?? 500,
    metadataOnly: options.metadataOnly ?? false,
    ...selection(options),
    signal,
  })) {
    for (const object of page.items) {
      guarded(handler, () => {
        const item = keep(object);
        if (item !== undefined) items.push(item);
      });
    }
    version = page.resourceVersion;
  }
  if (isOlder(version, seen.version) && seen.stale < STALE_LISTS) {
    seen.stale += 1;
    throw new KubeError(
      'SERVER_ERROR',
      `list ${path}: older (${version}) than what was seen before (${seen.version})`,
    );
  }
  seen.stale = 0;
  seen.version = version;
  guarded(handler, () => handler.replace(items));
  wentWell(handler);
  return version;
}

interface Watching<Item> extends ReflectorOptions<Item> {
  readonly seen: Seen;
  readonly from: string;
}

/** Resolves with the version to go on from, when the server ended it. */
async function watchOnce<Item>(watching: Watching<Item>, signal: AbortSignal): Promise<string> {
  const { client, path, handler, clock, random, seen } = watching;
  const startedAt = clock.now();
  // Spread over two minutes, so that the agents of a cluster do not come back together.
  const timeoutSeconds = Math.round(180 + random() * 120);
  let version = watching.from;
  try {
    const events = client.watch(path, {
      resourceVersion: version,
      timeoutSeconds,
      metadataOnly: watching.metadataOnly ?? false,
      ...selection(watching),
      signal,
      onOpen: () => wentWell(handler),
    });
    for await (const { type, object } of events) {
      version = versionOf(object) ?? version;
      seen.version = version;
      seen.backoff.reset();
      guarded(handler, () => {
        const item = type === 'BOOKMARK' ? undefined : watching.keep(object);
        if (item === undefined) return;
        if (type === 'DELETED') handler.remove(item);
        else handler.upsert(item);
      });
      wentWell(handler);
    }
  } catch (thrown) {
    throw new Interrupted(asKubeError(thrown), version);
  }
  if (clock.now() - startedAt >= SETTLED) seen.backoff.reset();
  else await pause(clock, seen.backoff.next(), signal);
  return version;
}

function selection<Item>({ fieldSelector }: ReflectorOptions<Item>): { readonly fieldSelector?: string } {
  return fieldSelector === undefined ? {} : { fieldSelector };
}

function wentWell<Item>(handler: ReflectorHandler<Item>): void {
  guarded(handler, () => {
    handler.alive?.();
    handler.trouble?.(undefined);
  });
}

function guarded<Item>(handler: ReflectorHandler<Item>, call: () => void): void {
  try {
    call();
  } catch (error) {
    try {
      handler.failed?.(error);
    } catch {
      // Whoever reports must not break what is reported.
    }
  }
}

function versionOf(object: unknown): string | undefined {
  const version = (object as { metadata?: { resourceVersion?: unknown } } | undefined)?.metadata
    ?.resourceVersion;
  return typeof version === 'string' && version !== '' ? version : undefined;
}

/** Versions of one server are numbers that grow; where they are not, nothing is called older. */
function isOlder(version: string, than: string | undefined): boolean {
  if (than === undefined || !/^\d+$/.test(version) || !/^\d+$/.test(than)) return false;
  return BigInt(version) < BigInt(than);
}

function asKubeError(thrown: unknown): KubeError {
  return thrown instanceof KubeError ? thrown : new KubeError('MALFORMED', String(thrown), { cause: thrown });
}

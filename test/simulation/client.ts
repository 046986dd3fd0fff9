/** The API server as one node reaches it: with delays, or not at all. */
import type {
  KubeClient,
  ListOptions,
  ListPage,
  WatchEvent,
  WatchOptions,
} from '../../operator/kube/client.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import type { Api } from './api.ts';
import type { Patch } from './store.ts';

/** What a killed agent waits for. */
export const NEVER = new Promise<never>(() => {});

const BOOKMARK_EVERY = 60_000;

export interface ModelClientOptions {
  readonly api: Api;
  readonly node: string;
  readonly alive: () => boolean;
}

interface Body {
  readonly metadata: Patch & { readonly name: string };
  readonly spec?: unknown;
}

export function modelClient(options: ModelClientOptions): KubeClient {
  const { api } = options;
  const { store } = api;
  const one = <T>(path: string, task: (collection: string, name: string) => T): Promise<T> => {
    const at = path.lastIndexOf('/');
    return asked(options, () => task(path.slice(0, at), path.slice(at + 1)));
  };
  const written = <T>(result: T): T => {
    api.writes += 1;
    return result;
  };
  return {
    get: (path) => one(path, (collection, name) => store.get(collection, name)),
    list: (path, how) => pages(options, path, how),
    watch: (path, how) => events(options, path, how),
    apply: (path, object, { fieldManager }) =>
      one(path, (collection, name) =>
        written(store.apply(collection, name, { manager: fieldManager, patch: (object as Body).metadata })),
      ),
    merge: (path, object) =>
      one(path, (collection, name) => written(store.merge(collection, name, (object as Body).metadata))),
    create: (path, object) => asked(options, () => written(store.create(path, object as Body))),
    delete: (path) => one(path, (collection, name) => written(store.delete(collection, name))),
    close: () => {},
  };
}

/** There, and back: where the way is cut meanwhile it was done, though nobody hears of it. */
async function asked<T>(options: ModelClientOptions, task: () => T): Promise<T> {
  await way(options);
  let outcome: { value: T } | { error: unknown };
  try {
    outcome = { value: task() };
  } catch (error) {
    outcome = { error };
  }
  await way(options);
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

async function way(options: ModelClientOptions): Promise<void> {
  const { api } = options;
  await api.time.sleep(2 + api.random() * 30);
  await reached(options);
}

async function reached({ api, node, alive }: ModelClientOptions): Promise<void> {
  if (!alive()) await NEVER;
  if (api.cut.has(node)) throw new KubeError('API_UNREACHABLE', `${node} is cut off`);
}

/** All of one moment. */
async function* pages(
  options: ModelClientOptions,
  path: string,
  { limit }: ListOptions,
): AsyncGenerator<ListPage> {
  const { store } = options.api;
  const { items, resourceVersion } = await asked(options, () => ({
    items: store.list(path),
    resourceVersion: String(store.version),
  }));
  for (let at = 0; at === 0 || at < items.length; at += limit) {
    if (at > 0) await way(options);
    yield { items: items.slice(at, at + limit), resourceVersion };
  }
}

async function* events(
  options: ModelClientOptions,
  path: string,
  { resourceVersion, timeoutSeconds, signal, onOpen }: WatchOptions,
): AsyncGenerator<WatchEvent> {
  const { api, node } = options;
  const { time, store } = api;
  let version = Number(resourceVersion);
  await asked(options, () => store.after(path, version));
  onOpen?.();
  const ends = time.now() + timeoutSeconds * 1000;
  let bookmark = time.now() + BOOKMARK_EVERY;
  for (;;) {
    await reached(options);
    signal?.throwIfAborted();
    const now = time.now();
    if (now >= ends) return;
    const late = (api.stale.get(node) ?? 0) - now;
    const change = late > 0 ? undefined : store.after(path, version);
    if (change !== undefined) {
      // They arrive in order, each a moment after it happened.
      await time.sleep(Math.max(1, change.at + 5 + api.random() * 200 - now));
      await reached(options);
      version = change.version;
      yield change;
    } else if (now >= bookmark && late <= 0) {
      bookmark = now + BOOKMARK_EVERY;
      version = store.version;
      yield { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } };
    } else {
      const next = Math.min(ends, late > 0 ? now + late : bookmark);
      await api.moved(Math.max(1, next - now));
    }
  }
}

/** What the suites ask of a server, in few words. */
import type { IncomingMessage } from 'node:http';
import { type ApiRequest, type ApiTarget, open, send } from '../../lab/api-client.ts';

// Answers of an API are whatever the server says; the assertions are what checks them.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Loose = any;

export interface Answered {
  readonly status: number;
  readonly body: Loose;
}

export class Client {
  readonly #target: ApiTarget;
  constructor(target: ApiTarget) {
    this.#target = target;
  }

  async ask(request: ApiRequest): Promise<Answered> {
    const answer = await send(this.#target, request);
    const text = answer.bytes.toString('utf8');
    const isJson = answer.headers['content-type']?.includes('json');
    return { status: answer.status, body: isJson ? JSON.parse(text) : text };
  }

  get(path: string, accept = 'application/json'): Promise<Answered> {
    return this.ask({ path, headers: { accept } });
  }

  post(path: string, body: unknown): Promise<Answered> {
    return this.ask({ method: 'POST', path, body });
  }

  put(path: string, body: unknown): Promise<Answered> {
    return this.ask({ method: 'PUT', path, body });
  }

  delete(path: string, body?: unknown): Promise<Answered> {
    return this.ask({ method: 'DELETE', path, ...(body !== undefined && { body }) });
  }

  merge(path: string, body: unknown): Promise<Answered> {
    return this.ask({
      method: 'PATCH',
      path,
      body,
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  }

  apply(path: string, body: unknown, query: string): Promise<Answered> {
    return this.ask({
      method: 'PATCH',
      path: `${path}?${query}`,
      body,
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
  }

  /** The status and first events of a watch; ends when `enough` says so or the server ends it. */
  async watch(
    path: string,
    options: { readonly accept?: string; readonly enough?: (events: readonly Loose[]) => boolean } = {},
  ): Promise<{ readonly status: number; readonly events: readonly Loose[] }> {
    const stop = new AbortController();
    const answer = await open(this.#target, {
      path,
      headers: { accept: options.accept ?? 'application/json' },
      signal: stop.signal,
    });
    const events = await collect(answer, stop, options.enough ?? (() => false));
    return { status: answer.statusCode ?? 0, events };
  }

  /** Starts a watch and resolves, when it is open, with a function that waits for its events. */
  async begin(
    path: string,
    options: { readonly accept?: string; readonly count?: number } = {},
  ): Promise<() => Promise<readonly Loose[]>> {
    const stop = new AbortController();
    const answer = await open(this.#target, {
      path,
      headers: { accept: options.accept ?? 'application/json' },
      signal: stop.signal,
    });
    const collected = collect(answer, stop, (events) => events.length === options.count);
    return () => collected;
  }

  raw = (request: ApiRequest) => send(this.#target, request);
}

/** Events until `enough` says so or the server ends the watch. */
async function collect(
  answer: IncomingMessage,
  stop: AbortController,
  enough: (events: readonly Loose[]) => boolean,
): Promise<readonly Loose[]> {
  const events: Loose[] = [];
  let rest = '';
  for await (const chunk of answer.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    events.push(...lines.map((line) => JSON.parse(line)));
    if (enough(events)) break;
  }
  stop.abort();
  return events;
}

export function node(name: string, annotations: Record<string, string> = {}): Loose {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations } };
}

export const NODES = '/api/v1/nodes';
export const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
export const MESHES = '/apis/sheath.dev/v1alpha1/encryptionmeshes';
export const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
export const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** One request to the embedded API server, from its first byte to the answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { discover } from './discovery.ts';
import type { Fault, FaultInput, Faults, Verb } from './faults.ts';
import type { Lists } from './lists.ts';
import { partialMetadata, view } from './negotiation.ts';
import type { JsonObject, KubeObject, Resource } from './objects.ts';
import { type Route, route } from './routes.ts';
import { expired, notFound, StatusError } from './status-error.ts';
import type { Store } from './store.ts';
import { watch } from './watch.ts';
import { type Answer, readBody, reply, toStatus } from './wire.ts';
import type { Write, Writes } from './writes.ts';

/** What can be done to the server by `POST /lab/…`. */
export interface LabControls {
  inject(fault: FaultInput): void;
  clearFaults(): void;
  cutConnections(): void;
  compact(): void;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly store: Store;
  readonly lists: Lists;
  readonly writes: Writes;
  readonly faults: Faults;
  readonly resources: readonly Resource[];
  readonly bookmarkEvery: number;
  readonly now: () => number;
  readonly onRequest: (record: { method: string; path: string; verb: string }) => void;
  readonly lab: LabControls;
}

export async function answer(exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  try {
    const url = new URL(request.url ?? '/', 'http://lab');
    const result = await dispatch(exchange, url);
    if (result) await reply(request, response, result);
  } catch (error) {
    if (response.destroyed) return;
    const status = toStatus(error);
    if (response.headersSent) response.destroy();
    else await reply(request, response, { code: status.code, body: status.body() });
  }
}

/** Undefined when the answer is being written already, or none is to come. */
async function dispatch(exchange: Exchange, url: URL): Promise<Answer | undefined> {
  const { request, faults, resources } = exchange;
  const path = url.pathname;
  if (path.startsWith('/lab/')) return control(exchange, path);
  const found = route(path, resources);
  const verb = found ? verbOf(request.method ?? 'GET', found, url.searchParams) : 'other';
  exchange.onRequest({ method: request.method ?? 'GET', path: request.url ?? '/', verb });
  const fault = faults.take({ verb, ...(found && { resource: found.resource }) });
  if (fault && !(await survives(exchange, fault))) return undefined;
  if (['/readyz', '/livez', '/healthz'].includes(path)) return { code: 200, body: { status: 'ok' } };
  const discovered = discover(path, resources);
  if (discovered) return { code: 200, body: discovered };
  if (!found) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  return serve(exchange, { ...found, verb, query: url.searchParams, ...(fault && { fault }) });
}

/** Does what the fault says; whether the request is to be answered after all. */
async function survives({ request, response, now }: Exchange, fault: Fault): Promise<boolean> {
  switch (fault.kind) {
    case 'cut':
      request.socket.resetAndDestroy();
      return false;
    case 'hang':
      return false;
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
      return !request.socket.destroyed;
    case 'status':
      if (fault.retryAfter !== undefined) response.setHeader('retry-after', String(fault.retryAfter));
      throw new StatusError(
        fault.status,
        'InternalError',
        `the lab answers ${fault.status}, as it was asked to at ${now()}`,
      );
    case 'gone':
      throw expired('too old resource version, as the lab was asked to say');
    case 'gone-event': {
      const event = {
        type: 'ERROR',
        object: expired('too old resource version, as the lab was asked to say').body(),
      };
      response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(event)}\n`);
      return false;
    }
    case 'stale':
      return true;
  }
}

interface Call extends Route {
  readonly verb: Verb;
  readonly query: URLSearchParams;
  readonly fault?: Fault;
}

async function serve(exchange: Exchange, call: Call): Promise<Answer | undefined> {
  const { request, response, store, lists } = exchange;
  const { resource, namespace, query } = call;
  const accept = request.headers.accept;
  switch (call.verb) {
    case 'watch': {
      const wanted = {
        resource,
        query,
        view: view(accept, 'object'),
        ...(namespace !== undefined && { namespace }),
      };
      watch(store, wanted, response, exchange);
      return undefined;
    }
    case 'list': {
      const wanted = {
        resource,
        query,
        view: view(accept, 'list'),
        ...(namespace !== undefined && { namespace }),
      };
      return { code: 200, body: lists.list(wanted, call.fault?.snapshots.get(resource)) };
    }
    case 'get': {
      const object = store.get(resource, { namespace: namespace ?? '', name: call.name ?? '' });
      if (!object) throw notFound(resource, call.name ?? '');
      return { code: 200, body: shown(exchange, object) };
    }
    case 'create':
    case 'update':
    case 'patch':
    case 'delete':
      return change(exchange, call);
    case 'other':
      throw new StatusError(
        405,
        'MethodNotAllowed',
        'the server does not allow this method on the requested resource',
      );
  }
}

async function change(exchange: Exchange, call: Call): Promise<Answer> {
  const { request, writes } = exchange;
  const write = writeOf(exchange, call);
  const type = (request.headers['content-type'] ?? '').split(';')[0];
  const body = await readBody(request, type ?? '');
  switch (call.verb) {
    case 'create':
      return { code: 201, body: shown(exchange, writes.create(write, body)) };
    case 'update':
      return { code: 200, body: shown(exchange, writes.update(write, body)) };
    case 'delete':
      return { code: 200, body: writes.delete(write, body) };
    default:
  }
  if (type === 'application/apply-patch+yaml') {
    if (!call.query.get('fieldManager')) {
      throw new StatusError(422, 'Invalid', 'fieldManager: Required value: is required for apply patch');
    }
    const { object, created } = writes.apply(write, body);
    return { code: created ? 201 : 200, body: shown(exchange, object) };
  }
  // The lists of what is patched this way are none of the strategic kind, so the two patches are the same here.
  if (type === 'application/merge-patch+json' || type === 'application/strategic-merge-patch+json') {
    return { code: 200, body: shown(exchange, writes.mergePatch(write, body)) };
  }
  throw new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format: ${type}`,
  );
}

function writeOf({ request, now }: Exchange, call: Call): Write {
  const agent = (request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown';
  return {
    resource: call.resource,
    namespace: call.namespace ?? '',
    ...(call.name !== undefined && { name: call.name }),
    ...(call.subresource && { subresource: call.subresource }),
    manager: call.query.get('fieldManager') || agent,
    force: call.query.get('force') === 'true',
    now: new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z'),
  };
}

function verbOf(method: string, { name, subresource }: Route, query: URLSearchParams): Verb {
  const watching = ['true', '1'].includes(query.get('watch') ?? '');
  if (method === 'GET') return name !== undefined ? 'get' : watching ? 'watch' : 'list';
  if (method === 'POST' && name === undefined) return 'create';
  if (name === undefined) return 'other';
  if (method === 'PUT') return 'update';
  if (method === 'PATCH') return 'patch';
  return method === 'DELETE' && subresource === undefined ? 'delete' : 'other';
}

function shown({ request }: Exchange, object: KubeObject): JsonObject {
  return view(request.headers.accept, 'object') === 'metadata' ? partialMetadata(object) : object;
}

async function control({ request, lab }: Exchange, path: string): Promise<Answer> {
  if (request.method !== 'POST') throw new StatusError(405, 'MethodNotAllowed', 'the lab takes POST only');
  const body = await readBody(request, 'application/json');
  if (path === '/lab/faults') lab.inject(body as unknown as FaultInput);
  else if (path === '/lab/clear') lab.clearFaults();
  else if (path === '/lab/cut') setImmediate(() => lab.cutConnections());
  else if (path === '/lab/compact') lab.compact();
  else throw new StatusError(404, 'NotFound', 'the lab knows faults, clear, cut and compact');
  return { code: 200, body: { done: true } };
}

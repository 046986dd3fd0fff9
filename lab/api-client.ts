/**
 * A plain HTTP client for a Kubernetes API: one request, one answer, nothing hidden. The conformance suite needs to see
 * status, headers and raw bodies, and the lab needs to start fast, so neither uses the client library.
 */
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';

const kubeconfigSchema = z.object({
  'current-context': z.string(),
  contexts: z.array(
    z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) }),
  ),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.url(),
        'certificate-authority': z.string().optional(),
        'certificate-authority-data': z.string().optional(),
        'tls-server-name': z.string().optional(),
        'insecure-skip-tls-verify': z.boolean().optional(),
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.object({
        token: z.string().optional(),
        'client-certificate': z.string().optional(),
        'client-certificate-data': z.string().optional(),
        'client-key': z.string().optional(),
        'client-key-data': z.string().optional(),
      }),
    }),
  ),
});

/** Where the API is and how to talk to it. */
export interface ApiTarget {
  readonly url: URL;
  readonly tls: https.RequestOptions;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path with query, `/api/v1/nodes?limit=2`. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** The body as it came over the wire, still compressed when it was. */
  readonly bytes: Buffer;
}

/** The current context of a kubeconfig file, with token or client certificate. */
export async function apiTarget(kubeconfigPath: string): Promise<ApiTarget> {
  const file = kubeconfigSchema.parse(parse(await readFile(kubeconfigPath, 'utf8')));
  const context = named(file.contexts, file['current-context'], kubeconfigPath).context;
  const cluster = named(file.clusters, context.cluster, kubeconfigPath).cluster;
  const user = named(file.users, context.user, kubeconfigPath).user;
  const bytes = async (data: string | undefined, path: string | undefined): Promise<Buffer | undefined> => {
    if (data !== undefined) return Buffer.from(data, 'base64');
    return path === undefined ? undefined : readFile(resolve(dirname(kubeconfigPath), path));
  };
  const ca = await bytes(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = await bytes(user['client-certificate-data'], user['client-certificate']);
  const key = await bytes(user['client-key-data'], user['client-key']);
  return {
    url: new URL(cluster.server),
    tls: {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(cluster['tls-server-name'] && { servername: cluster['tls-server-name'] }),
      ...(cluster['insecure-skip-tls-verify'] && { rejectUnauthorized: false }),
    },
    headers: user.token === undefined ? {} : { authorization: `Bearer ${user.token}` },
  };
}

function named<T extends { readonly name: string }>(list: readonly T[], name: string, file: string): T {
  const found = list.find((entry) => entry.name === name);
  if (!found) throw new Error(`${file} names "${name}" but does not hold it`);
  return found;
}

/** Sends one request and resolves when the answer's headers are there; its body is still to be read. */
export function open(target: ApiTarget, request: ApiRequest): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const secure = target.url.protocol === 'https:';
  const headers: Record<string, string> = { accept: 'application/json', ...target.headers };
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = String(Buffer.byteLength(body));
  }
  const sent = (secure ? https : http).request(
    new URL(request.path, target.url),
    {
      ...(secure ? target.tls : {}),
      method: request.method ?? 'GET',
      headers: { ...headers, ...request.headers },
      ...(request.signal && { signal: request.signal }),
      agent: false,
    },
    resolve,
  );
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

/** Milliseconds: a server that was stopped still takes connections. */
const ANSWER_WITHIN = 30_000;

/** Unless the request has a signal of its own, it is given up after half a minute. */
export async function send(target: ApiTarget, request: ApiRequest): Promise<ApiAnswer> {
  const answer = await open(target, { signal: AbortSignal.timeout(ANSWER_WITHIN), ...request });
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return { status: answer.statusCode ?? 0, headers: answer.headers, bytes: Buffer.concat(chunks) };
}

/** The status of the API differs from what the caller can work with. */
export class ApiError extends Error {
  readonly code = 'API_REFUSED';
  readonly status: number;
  constructor(request: ApiRequest, answer: ApiAnswer) {
    super(
      `${request.method ?? 'GET'} ${request.path}: ${answer.status} ${answer.bytes.toString('utf8', 0, 300)}`,
    );
    this.status = answer.status;
  }
}

/** Sends a request, throws `ApiError` unless the answer is 2xx, and returns the parsed body. */
export async function call(target: ApiTarget, request: ApiRequest): Promise<unknown> {
  const answer = await send(target, request);
  if (answer.status < 200 || answer.status > 299) throw new ApiError(request, answer);
  return JSON.parse(answer.bytes.toString('utf8'));
}

/** HTTP to one API server: kept-alive connections, gzip, time-outs, credentials renewed when they are refused. */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Access } from './access.ts';
import { statusError, unreachable } from './errors.ts';
import { ReachedAddresses } from './reached.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly accept?: string;
  readonly body?: { readonly type: string; readonly text: string };
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the head of the answer must be there, and between any two pieces of its body. */
  readonly timeout?: number;
}

export interface Transport {
  /** The remote ends of all connections on which the server answered. */
  readonly reached: ReachedAddresses;
  /**
   * The body of a 2xx answer, inflated.
   * @throws KubeError for any other answer, or none; the signal's reason when it aborted
   */
  send(call: Call): Promise<Readable>;
  close(): void;
}

const TIMEOUT = 30_000;
const ERROR_BODY_MAX = 64 * 1024;

export function createTransport(access: Access, userAgent: string): Transport {
  const agent = access.agent ?? ownAgent(access);
  const reached = new ReachedAddresses();
  const send = async (call: Call, fresh: boolean): Promise<IncomingMessage> => {
    const authorization = await access.authorization(fresh);
    const headers: Record<string, string> = {
      'User-Agent': userAgent,
      Accept: call.accept ?? 'application/json',
      'Accept-Encoding': 'gzip',
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(call.body === undefined
        ? {}
        : { 'Content-Type': call.body.type, 'Content-Length': String(Buffer.byteLength(call.body.text)) }),
    };
    const answer = await exchange(access.server, call, { agent, headers });
    reached.see(answer.socket.remoteAddress);
    if (answer.statusCode !== 401 || fresh) return answer;
    answer.destroy();
    return send(call, true);
  };
  return {
    reached,
    async send(call) {
      const answer = await send(call, false);
      const status = answer.statusCode ?? 0;
      if (status >= 200 && status < 300) return inflated(answer);
      const body = await textOf(inflated(answer), ERROR_BODY_MAX).catch(() => '');
      throw statusError(nameOf(call), status, body, answer.headers['retry-after']);
    },
    close: () => agent.destroy(),
  };
}

function ownAgent({ server, tls }: Access): HttpAgent {
  // A watch holds one connection; the few others are for what is said beside it.
  const options = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 4, maxFreeSockets: 1 };
  return server.protocol === 'http:' ? new HttpAgent(options) : new HttpsAgent({ ...options, ...tls });
}

/** Resolves with the head of the answer. */
function exchange(
  server: URL,
  call: Call,
  with_: Pick<RequestOptions, 'agent' | 'headers'>,
): Promise<IncomingMessage> {
  const timeout = call.timeout ?? TIMEOUT;
  const path = server.pathname === '/' ? call.path : server.pathname.replace(/\/$/, '') + call.path;
  const options: RequestOptions = {
    ...with_,
    method: call.method,
    hostname: server.hostname.replace(/^\[|\]$/g, ''),
    port: server.port === '' ? (server.protocol === 'http:' ? 80 : 443) : server.port,
    path,
    timeout,
  };
  return new Promise((resolve, reject) => {
    if (call.signal?.aborted === true) return reject(call.signal.reason);
    const request = server.protocol === 'http:' ? httpRequest(options) : httpsRequest(options);
    const abort = () => request.destroy(new Error('aborted'));
    call.signal?.addEventListener('abort', abort, { once: true });
    // Also between two pieces of the body: the socket is silent, whoever waits for it must hear of that.
    request.on('timeout', () => request.destroy(new Error(`no answer for ${timeout / 1000} s`)));
    request.on('close', () => call.signal?.removeEventListener('abort', abort));
    request.on('error', (cause) =>
      reject(call.signal?.aborted === true ? call.signal.reason : unreachable(nameOf(call), cause)),
    );
    request.on('response', resolve);
    request.end(call.body?.text);
  });
}

function inflated(answer: IncomingMessage): Readable {
  if (answer.headers['content-encoding'] !== 'gzip') return answer;
  const inflating = createGunzip();
  answer.on('error', (cause) => inflating.destroy(cause));
  answer.on('aborted', () => inflating.destroy(new Error('the connection was cut')));
  inflating.on('close', () => answer.destroy());
  return answer.pipe(inflating);
}

/** The whole body, or its beginning. @throws KubeError `API_UNREACHABLE` when it is cut */
export async function textOf(body: Readable, limit = Number.POSITIVE_INFINITY): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      pieces.push(piece);
      length += piece.length;
      if (length >= limit) break;
    }
  } catch (cause) {
    throw unreachable('reading the answer', cause);
  }
  return Buffer.concat(pieces).toString('utf8');
}

export function nameOf(call: Pick<Call, 'method' | 'path'>): string {
  return `${call.method} ${call.path.split('?')[0]}`;
}

/** Bodies on the wire: reading one, and writing one compressed where the real server would. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { parse } from 'yaml';
import { ZodError } from 'zod';
import { isObject, type Json, type JsonObject } from './objects.ts';
import { badRequest, StatusError } from './status-error.ts';

export interface Answer {
  readonly code: number;
  readonly body: JsonObject;
}

/** The real server compresses answers to GET from this size on. */
const GZIP_FROM_BYTES = 128 * 1024;
const BODY_LIMIT_BYTES = 3 << 20;
const compress = promisify(gzip);

/** The body as an object, empty when there is none. Throws `StatusError` 400 or 413. */
export async function readBody(request: IncomingMessage, type: string): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw new StatusError(413, 'RequestEntityTooLarge', 'limit is 3145728');
  }
  const body = Buffer.concat(chunks).toString('utf8');
  if (body === '') return {};
  let value: Json;
  try {
    value = type.endsWith('yaml') ? parse(body) : JSON.parse(body);
  } catch (cause) {
    throw badRequest(`the object provided is unrecognized: ${cause}`);
  }
  if (!isObject(value)) throw badRequest('the body is not an object');
  return value;
}

export async function reply(
  request: IncomingMessage,
  response: ServerResponse,
  { code, body }: Answer,
): Promise<void> {
  let bytes: Buffer = Buffer.from(`${JSON.stringify(body)}\n`);
  const accepts = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (request.method === 'GET' && accepts && bytes.length >= GZIP_FROM_BYTES) {
    bytes = await compress(bytes, { level: 1 });
    response.setHeader('content-encoding', 'gzip');
    response.setHeader('vary', 'Accept-Encoding');
  }
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
}

export function toStatus(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof ZodError) return badRequest(error.message);
  return new StatusError(500, 'InternalError', `Internal error occurred: ${error}`);
}

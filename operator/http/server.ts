/** Listens where it is told, a path or an address, and answers by a table of routes. Plain node:http: a framework would cost more memory than the tunnels. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Asked, answer, type Routes } from './answers.ts';

export interface ServerOptions<Source = Asked> {
  readonly asked: Source;
  readonly routes: Routes<Source>;
  /** Answers as long as the follower stays: `/events`. */
  readonly stream?: {
    readonly path: string;
    readonly open: (response: ServerResponse, signal: AbortSignal) => void;
  };
}

/** Far more than probes, a scraper and some people; a crowd at the port must not take the descriptors that the mesh needs. */
const CONNECTIONS = 256;
/** From one address: a pod that keeps connections open must not keep out the probes, for want of which the agent would be killed. */
const CONNECTIONS_EACH = 32;

export type ListenOn = { readonly path: string } | { readonly host: string; readonly port: number };

export interface Listening {
  /** Ends what is being answered too. */
  close(): Promise<void>;
  readonly port: number | undefined;
}

/** @throws the error of `listen`: EADDRINUSE, EACCES ... */
export async function listen<Source>(options: ServerOptions<Source>, where: ListenOn): Promise<Listening> {
  const server = createServer((request, response) => void serve(options, request, response));
  server.maxConnections = CONNECTIONS;
  limitEach(server);
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, resolve);
  });
  // One that could not be accepted is that caller's trouble alone.
  server.on('error', () => {});
  const address = server.address();
  return { close: () => close(server), port: typeof address === 'object' ? address?.port : undefined };
}

/** On a socket in the file system there are no addresses, and root alone comes. */
function limitEach(server: Server): void {
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) return;
    const count = (open.get(remoteAddress) ?? 0) + 1;
    open.set(remoteAddress, count);
    socket.once('close', () => {
      const left = (open.get(remoteAddress) ?? 1) - 1;
      if (left === 0) open.delete(remoteAddress);
      else open.set(remoteAddress, left);
    });
    if (count > CONNECTIONS_EACH) socket.destroy();
  });
}

async function serve<Source>(
  options: ServerOptions<Source>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const method = request.method ?? 'GET';
  // A follower that went away must not bring the agent down.
  response.on('error', () => {});
  if (options.stream?.path === path && method === 'GET') {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      options.stream.open(response, gone.signal);
    } catch {
      response.destroy();
    }
    return;
  }
  const { status, type, body } = await answer(options.routes, options.asked, { method, path });
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(method === 'HEAD' ? undefined : body);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

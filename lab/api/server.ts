/**
 * A small Kubernetes API server: the resources the mesh uses, with the real server's manners, in one process without etcd.
 * It can misbehave on request, from JavaScript (`inject`, `cutConnections`, `compact`) or by `POST /lab/faults`.
 * The same conformance suite runs against it and against the real kube-apiserver.
 */
import http from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { answer, type Exchange } from './answer.ts';
import { type FaultInput, Faults } from './faults.ts';
import { Lists } from './lists.ts';
import { apiVersion, NAMESPACES, RESOURCES, type Resource } from './objects.ts';
import { Store } from './store.ts';
import { Writes } from './writes.ts';

export interface ApiServerOptions {
  /** Milliseconds between bookmarks; 60 000 as in the real server. */
  readonly bookmarkEvery?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Whether `encryptionmeshes.sheath.dev` is installed; true. */
  readonly encryptionMeshes?: boolean;
  /** Called for each request when it is answered or a watch has begun. */
  readonly onRequest?: (request: RequestRecord) => void;
}

export interface RequestRecord {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly verb: string;
}

export class ApiServer {
  readonly store = new Store();
  readonly #http: http.Server;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  readonly #faults: Faults;
  readonly #lists: Lists;
  readonly #resources: readonly Resource[];
  #port: number | undefined;

  constructor(options: ApiServerOptions = {}) {
    const now = options.now ?? Date.now;
    this.#faults = new Faults(now);
    this.#lists = new Lists(this.store);
    const withMeshes = options.encryptionMeshes ?? true;
    this.#resources = RESOURCES.filter(({ kind }) => withMeshes || kind !== 'EncryptionMesh');
    this.#seedNamespaces(now);
    const exchange: Omit<Exchange, 'request' | 'response'> = {
      store: this.store,
      lists: this.#lists,
      writes: new Writes(this.store),
      faults: this.#faults,
      resources: this.#resources,
      bookmarkEvery: options.bookmarkEvery ?? 60_000,
      now,
      onRequest: options.onRequest ?? (() => {}),
      lab: this,
    };
    this.#http = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      void answer({ ...exchange, request, response });
    });
  }

  /** Listens, on a free port unless one is named, and returns the URL. Listens again on the same port after `close`. */
  async listen(address = '127.0.0.1', port = this.#port ?? 0): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once('error', reject);
    this.#http.on('connection', this.#remember);
    this.#http.listen({ host: address, port }, resolve);
    await promise;
    this.#http.off('error', reject);
    this.#port = (this.#http.address() as AddressInfo).port;
    return `http://${address.includes(':') ? `[${address}]` : address}:${this.#port}`;
  }

  /** Serves the connections of another listener too, of one in a network namespace for instance; `close` closes it. */
  serve(server: Server): void {
    this.#servers.add(server);
    server.on('connection', (socket) => {
      this.#remember(socket);
      this.#http.emit('connection', socket);
    });
  }

  /** From now on, until used up: see `FaultInput`. Throws `ZodError` for what is no fault. */
  inject(fault: FaultInput): void {
    const snapshots = this.#resources.map((resource) => [resource, this.store.list(resource)] as const);
    this.#faults.add(fault, new Map(snapshots));
  }

  clearFaults(): void {
    this.#faults.clear();
  }

  /** Resets every connection there is, watches too. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Forgets history and continue tokens: whoever comes back with an old one gets 410. */
  compact(): void {
    this.store.compact();
    this.#lists.forget();
  }

  /** Stops listening and cuts every connection; what is stored stays, and `listen` brings it back. */
  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    this.#servers.clear();
    this.#http.off('connection', this.#remember);
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.cutConnections();
    await closed;
  }

  #remember = (socket: Socket): void => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  #seedNamespaces(now: () => number): void {
    const creationTimestamp = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z');
    for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) {
      this.store.put(NAMESPACES, { namespace: '', name }, (resourceVersion) => ({
        apiVersion: apiVersion(NAMESPACES),
        kind: NAMESPACES.kind,
        metadata: { name, uid: crypto.randomUUID(), resourceVersion, creationTimestamp },
        status: { phase: 'Active' },
      }));
    }
  }
}

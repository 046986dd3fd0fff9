/** Carries TCP connections from one network namespace to another. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { listenIn } from './namespace-sockets.ts';

export interface Listen {
  /** The namespace to listen in; this process's own when left out. */
  readonly netns?: string;
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface RelayTarget {
  readonly address: string;
  readonly port: number;
}

/** Listens at `listen` and joins every connection with a new one to `to`, from this process's namespace. Returns the port. */
export async function relay(listen: Listen, to: RelayTarget, signal: AbortSignal): Promise<number> {
  const server = await listener(listen);
  const open = new Set<Socket>();
  const join = (from: Socket): void => {
    const onward = connect({ host: to.address, port: to.port });
    for (const [one, other] of [
      [from, onward],
      [onward, from],
    ] as const) {
      open.add(one);
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
    from.pipe(onward).pipe(from);
  };
  server.on('connection', join);
  signal.addEventListener('abort', () => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function listener({ netns, address, port }: Listen): Promise<Server> {
  if (netns !== undefined) return listenIn(netns, address, port);
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: address, port }, resolve);
  await promise;
  return server;
}

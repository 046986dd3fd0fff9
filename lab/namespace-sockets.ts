/**
 * Sockets of other network namespaces, in this process.
 *
 * A socket stays in the namespace it was created in, whoever holds it. So a short-lived helper inside the namespace
 * opens it and hands it over, and one process can serve, or send from, many namespaces at once.
 */
import { spawn } from 'node:child_process';
import { Socket as UdpSocket } from 'node:dgram';
import { Server, Socket } from 'node:net';

/** What the helper is asked to open. */
type Wanted =
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  | { readonly kind: 'udp'; readonly address: string; readonly port: number }
  | { readonly kind: 'connection'; readonly address: string; readonly port: number };

type Opened = Server | UdpSocket | Socket;

/** Its source is sent to the helper: it may use nothing from outside but its argument. */
function helper(sockets: readonly Wanted[]): void {
  const net = process.getBuiltinModule('node:net');
  const dgram = process.getBuiltinModule('node:dgram');
  // The one who asked has them all, or is gone.
  process.on('disconnect', () => process.exit());
  const send = (index: number, handle: import('node:child_process').SendHandle): void => {
    process.send?.(index, handle);
  };
  sockets.forEach((wanted, index) => {
    const { address: host, port } = wanted;
    if (wanted.kind === 'tcp') {
      const server = net.createServer().listen({ host, port }, () => send(index, server));
    } else if (wanted.kind === 'connection') {
      const socket = net.connect({ host, port }, () => send(index, socket));
    } else {
      const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
      socket.bind({ address: host, port }, () => send(index, socket));
    }
  });
}

/** Opens sockets in the namespace `netns`; the order of the answer is that of `wanted`. */
async function openIn(netns: string, wanted: readonly Wanted[]): Promise<readonly Opened[]> {
  const program = `(${helper.toString()})(${JSON.stringify(wanted)})`;
  const child = spawn('ip', ['netns', 'exec', netns, process.execPath, '-e', program], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const opened = new Map<number, Opened>();
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.on('message', (index, handle) => {
    if (handle instanceof Server || handle instanceof UdpSocket || handle instanceof Socket) {
      opened.set(Number(index), handle);
    }
    if (opened.size === wanted.length) resolve();
  });
  child.once('error', reject);
  child.once('close', () => {
    const reason = /^(Error|.*Cannot).*$/m.exec(complaint)?.[0] ?? complaint.trim();
    reject(
      new Error(`cannot open sockets in the network namespace ${netns}: ${reason || 'the helper ended'}`),
    );
  });
  try {
    await promise;
  } catch (error) {
    for (const socket of opened.values()) close(socket);
    throw error;
  } finally {
    if (child.connected) child.disconnect();
  }
  return wanted.map((_, index) => opened.get(index)).filter((socket) => socket !== undefined);
}

function close(socket: Opened): void {
  if (socket instanceof Socket) socket.destroy();
  else socket.close();
}

/** A TCP server that listens inside the namespace; whoever gets it adds the `connection` listener and closes it. */
export async function listenIn(netns: string, address: string, port: number): Promise<Server> {
  const [server] = await openIn(netns, [{ kind: 'tcp', address, port }]);
  if (!(server instanceof Server))
    throw new Error('the helper answered with something else than a TCP server');
  return server;
}

/** UDP sockets bound inside the namespace, one for each address; port 0 takes a free one. */
export async function bindIn(
  netns: string,
  wanted: readonly { readonly address: string; readonly port: number }[],
): Promise<readonly UdpSocket[]> {
  const sockets = await openIn(
    netns,
    wanted.map((one) => ({ kind: 'udp', ...one })),
  );
  const bound = sockets.filter((socket) => socket instanceof UdpSocket);
  for (const [at, socket] of bound.entries()) if (wanted[at]?.address.includes(':')) repairConnect(socket);
  return bound;
}

/**
 * Node gives a UDP socket that was handed over the IPv6 forms of bind and send, and forgets that of connect (`replaceHandle`
 * in its lib/dgram.js; 22 and 24): `connect` then is EINVAL.
 */
function repairConnect(socket: UdpSocket): void {
  const holders = socket as unknown as Record<
    symbol,
    { handle?: { connect?: unknown; connect6?: unknown } } | undefined
  >;
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const handle = holders[symbol]?.handle;
    if (handle?.connect6 !== undefined) handle.connect = handle.connect6;
  }
}

/** A TCP connection from inside the namespace. */
export async function connectIn(netns: string, address: string, port: number): Promise<Socket> {
  const [socket] = await openIn(netns, [{ kind: 'connection', address, port }]);
  if (!(socket instanceof Socket))
    throw new Error('the helper answered with something else than a connection');
  return socket;
}

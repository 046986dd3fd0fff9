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
  // Without it nothing keeps the helper until its last socket was taken.
  process.channel?.ref();
  let left = sockets.length;
  const sent = (error: Error | null): void => {
    if (error) throw error;
    left -= 1;
    if (left === 0) process.disconnect();
  };
  const send = (index: number, handle: import('node:child_process').SendHandle): void => {
    process.send?.(index, handle, {}, sent);
  };
  sockets.forEach((wanted, index) => {
    if (wanted.kind === 'tcp') {
      const server = net.createServer();
      server.listen({ host: wanted.address, port: wanted.port }, () => {
        send(index, server);
        server.unref();
      });
    } else if (wanted.kind === 'connection') {
      const socket = net.connect({ host: wanted.address, port: wanted.port }, () => send(index, socket));
    } else {
      const socket = dgram.createSocket(wanted.address.includes(':') ? 'udp6' : 'udp4');
      socket.bind({ address: wanted.address, port: wanted.port }, () => {
        send(index, socket);
        socket.unref();
      });
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
  child.on('message', (index, handle) => {
    if (handle instanceof Server || handle instanceof UdpSocket || handle instanceof Socket) {
      opened.set(Number(index), handle);
    }
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  const sockets = wanted.map((_, index) => opened.get(index));
  if (sockets.every((socket) => socket !== undefined)) return sockets;
  for (const socket of opened.values()) {
    if (socket instanceof Socket) socket.destroy();
    else socket.close();
  }
  const reason = /^(Error|.*Cannot).*$/m.exec(complaint)?.[0] ?? complaint.trim();
  throw new Error(`cannot open sockets in the network namespace ${netns}: ${reason}`);
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
  return sockets.filter((socket) => socket instanceof UdpSocket);
}

/** A TCP connection from inside the namespace. */
export async function connectIn(netns: string, address: string, port: number): Promise<Socket> {
  const [socket] = await openIn(netns, [{ kind: 'connection', address, port }]);
  if (!(socket instanceof Socket))
    throw new Error('the helper answered with something else than a connection');
  return socket;
}

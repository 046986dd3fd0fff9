/**
 * A client outside the cluster with a connection through a NodePort: n1 hands it on to a pod of n2, masqueraded as kube-proxy does. The
 * kernel forgets such a connection when its output device changes, unless its source was settled before (tunnels/firewall/translate.ts).
 */
import assert from 'node:assert/strict';
import type { Server, Socket } from 'node:net';
import { connectIn, listenIn } from '../../../lab/namespace-sockets.ts';
import { nodeNamed } from '../../../lab/nodes/agents.ts';
import type { Mesh } from '../mesh/mesh.ts';

const NODE_PORT = 30_080;
const POD_PORT = 8080;
const EVERY_MS = 20;

export class Visitor {
  readonly #mesh: Mesh;
  readonly #connections: readonly Connection[];

  private constructor(mesh: Mesh, connections: readonly Connection[]) {
    this.#mesh = mesh;
    this.#connections = connections;
  }

  /** In both families. */
  static async open(mesh: Mesh): Promise<Visitor> {
    const entry = nodeNamed(mesh.lab, 'n1');
    const [pod] = nodeNamed(mesh.lab, 'n2').pods;
    assert.ok(pod);
    const connections: Connection[] = [];
    for (const [at, address] of pod.addresses.entries()) {
      await mesh.on('n1', asKubeProxy(at === 0 ? 'iptables-nft' : 'ip6tables-nft', address));
      const server = await listenIn(pod.netns, address, POD_PORT);
      const door = entry.addresses[at] ?? '';
      const connect = () => connectIn(mesh.lab.topology.wire, door, NODE_PORT);
      connections.push(await Connection.open(server, connect));
    }
    return new Visitor(mesh, connections);
  }

  /** Unbroken, and every question until a second ago was answered. */
  assertServed(): void {
    for (const connection of this.#connections) connection.assertServed();
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** Takes the rules away. */
  async leave(): Promise<void> {
    await this.#mesh.on('n1', 'nft flush table ip nat; nft flush table ip6 nat');
  }
}

/** What it writes for a Service's NodePort: mark to be masqueraded, then to the pod; later, masquerade what is marked. */
function asKubeProxy(iptables: string, pod: string): string {
  const to = pod.includes(':') ? `[${pod}]:${POD_PORT}` : `${pod}:${POD_PORT}`;
  return [
    `${iptables} -t nat -A PREROUTING -p tcp --dport ${NODE_PORT} -j MARK --set-xmark 0x4000/0x4000`,
    `${iptables} -t nat -A PREROUTING -p tcp --dport ${NODE_PORT} -j DNAT --to-destination ${to}`,
    `${iptables} -t nat -A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN`,
    `${iptables} -t nat -A POSTROUTING -j MARK --xor-mark 0x4000`,
    `${iptables} -t nat -A POSTROUTING -j MASQUERADE --random-fully`,
  ].join('\n');
}

/** A question every 20 ms, each answered by itself. */
class Connection {
  readonly #server: Server;
  readonly #client: Socket;
  readonly #accepted: ReadonlySet<Socket>;
  readonly #timer: NodeJS.Timeout;
  #asked = 0;
  #answered = 0;
  #checked = 0;
  #end: string | undefined;

  private constructor(server: Server, accepted: Set<Socket>, client: Socket) {
    this.#server = server;
    this.#accepted = accepted;
    this.#client = client;
    client.setNoDelay(true);
    client.on('error', ({ message }) => {
      this.#end ??= message;
    });
    client.on('close', () => {
      this.#end ??= 'closed';
    });
    client.on('data', ({ length }) => {
      this.#answered += length;
    });
    this.#timer = setInterval(() => {
      client.write('?');
      this.#asked += 1;
    }, EVERY_MS);
  }

  static async open(server: Server, connect: () => Promise<Socket>): Promise<Connection> {
    const accepted = new Set<Socket>();
    server.on('connection', (socket) => {
      accepted.add(socket);
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    return new Connection(server, accepted, await connect());
  }

  assertServed(): void {
    assert.equal(this.#end, undefined, 'the connection through the NodePort');
    assert.ok(this.#answered > this.#checked, 'it is still in use');
    const open = this.#asked - this.#answered;
    assert.ok(open * EVERY_MS <= 1000, `${open} of ${this.#asked} questions are not answered`);
    this.#checked = this.#answered;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#client.destroy();
    for (const socket of this.#accepted) socket.destroy();
    this.#server.close();
  }
}

/** Network namespaces on a real kernel as a world of the contract: the lab's network, and a process with the dataplane in each node. */
import type { Socket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bindIn } from '../../../lab/namespace-sockets.ts';
import {
  createNodeNetwork,
  createUnderlay,
  cutOff,
  destroyNamespaces,
  destroyNodeNetwork,
} from '../../../lab/nodes/network.ts';
import { type LabNode, namespacePrefix, type Topology, topology } from '../../../lab/nodes/topology.ts';
import { run } from '../../../lab/processes.ts';
import type { DeviceName, Observation } from '../../../mesh/types.ts';
import type { Report } from '../../../tunnels/dataplane.ts';
import type { Fate, Wanted, World } from '../../simulation/contract/world.ts';
import { Agent } from './agent.ts';
import { liveAhead } from './ahead.ts';
import { Wire } from './wire.ts';

/** Of the pods' packets. */
const PORT = 7000;
/** Milliseconds that a packet is waited for, with a handshake before it; and that the wire takes to tell. */
const MOMENT = 500;
const POLL = 10;

interface Machine {
  readonly node: LabNode;
  agent: Agent;
  socket: Socket;
  wanted: Wanted;
}

type Packet = { -readonly [field in keyof Fate]: Fate[field] };

export class RealWorld implements World {
  readonly size: number;
  readonly #topology: Topology;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sheath-model-'));
  readonly #machines: Machine[] = [];
  readonly #packets: Packet[] = [];
  #wire: Wire | undefined;

  private constructor(shape: Topology) {
    this.size = shape.nodes;
    this.#topology = shape;
  }

  static async create(name: string, size: number): Promise<RealWorld> {
    const world = new RealWorld(asContract(topology({ name, nodes: size, pods: 1, ipv6: true })));
    await destroyNamespaces(namespacePrefix(name));
    await createUnderlay(world.#topology);
    for (const node of world.#topology.members) {
      await createNodeNetwork(world.#topology, node);
      world.#machines.push(await world.#machine(node));
    }
    world.#wire = await Wire.listen(world.#topology.wire, PORT, (number) => world.#tell(number, 'clear'));
    return world;
  }

  async set(node: number, wanted: Wanted): Promise<Report> {
    const machine = this.#at(node);
    machine.wanted = wanted;
    return machine.agent.set(wanted);
  }

  observe(node: number): Promise<readonly Observation[]> {
    return this.#at(node).agent.observe();
  }

  async send(from: number, to: number): Promise<Fate> {
    const packet = { arrived: false, clear: false };
    const number = this.#packets.push(packet) - 1;
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32BE(number, 0);
    bytes.writeUInt32BE(number, 60);
    const [to4 = ''] = this.#at(to).node.pods[0]?.addresses ?? [];
    // A route or peer that is missing is an error of the socket: the packet is lost, which is what is asked.
    this.#at(from).socket.send(bytes, PORT, to4, () => undefined);
    const deadline = performance.now() + MOMENT;
    while (!packet.arrived && performance.now() < deadline) await sleep(POLL);
    // The wire is read by another process.
    await sleep(packet.clear ? 0 : 10 * POLL);
    return packet;
  }

  now(): number {
    return performance.now();
  }

  pass(ms: number): Promise<void> {
    return sleep(ms);
  }

  async deleteDevice(node: number, name: DeviceName): Promise<void> {
    // There may be none.
    await run(['ip', '-n', this.#at(node).node.netns, 'link', 'del', name]).catch(() => undefined);
  }

  async removePeer(node: number, name: DeviceName, key: string): Promise<void> {
    const { netns } = this.#at(node).node;
    await run(['ip', 'netns', 'exec', netns, 'wg', 'set', name, 'peer', key, 'remove']);
  }

  async restartAgent(node: number): Promise<void> {
    const machine = this.#at(node);
    await machine.agent.kill();
    machine.agent = this.#agent(node);
  }

  async reboot(node: number, ahead = 0): Promise<void> {
    const machine = this.#at(node);
    await machine.agent.kill();
    if (ahead > 0) await liveAhead({ node, ahead, topology: this.#topology, wanted: machine.wanted });
    machine.socket.close();
    await destroyNodeNetwork(this.#topology, machine.node);
    await createNodeNetwork(this.#topology, machine.node);
    Object.assign(machine, await this.#machine(machine.node));
  }

  cut(node: number, isOff: boolean): Promise<void> {
    return cutOff(this.#topology, this.#at(node).node, isOff);
  }

  async close(): Promise<void> {
    for (const { agent, socket } of this.#machines) {
      await agent.kill();
      socket.close();
    }
    await this.#wire?.close();
    await destroyNamespaces(namespacePrefix(this.#topology.name));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #machine(node: LabNode): Promise<Machine> {
    const [pod] = node.pods;
    const [address = ''] = pod?.addresses ?? [];
    const [socket] = await bindIn(pod?.netns ?? '', [{ address, port: PORT }]);
    if (socket === undefined) throw new Error(`no socket in the pod of ${node.name}`);
    socket.on('error', () => undefined);
    socket.on('message', (bytes) => this.#tell(bytes.readUInt32BE(0), 'arrived'));
    const agent = this.#agent(Number(node.name.slice(1)));
    return { node, socket, agent, wanted: { generations: [] } };
  }

  #agent(number: number): Agent {
    const stateDir = join(this.#folder, `n${number}`);
    const netns = this.#topology.members[number - 1]?.netns ?? '';
    return new Agent({ netns, stateDir, node: number, size: this.size });
  }

  #at(node: number): Machine {
    const machine = this.#machines[node - 1];
    if (machine === undefined) throw new Error(`there is no node ${node}`);
    return machine;
  }

  #tell(number: number, what: keyof Fate): void {
    const packet = this.#packets[number];
    if (packet !== undefined) packet[what] = true;
  }
}

/** With the addresses that `test/tunnels/states.ts` gives to nodes. */
function asContract(shape: Topology): Topology {
  return {
    ...shape,
    wireAddresses: ['192.0.2.254', '2001:db8::fe'],
    members: shape.members.map((node, at) => ({
      ...node,
      addresses: [`192.0.2.${at + 1}`, `2001:db8::${at + 1}`],
    })),
  };
}

/** The model as a world of the contract: its time goes on when it is told to, and an hour costs nothing. */
import type { DeviceName, Observation } from '../../mesh/types.ts';
import type { Report } from '../../tunnels/dataplane.ts';
import { pods } from '../tunnels/states.ts';
import { desiredOf, type Fate, keyOf, type Wanted, type World } from './contract/world.ts';
import { ModelDataplane } from './dataplane.ts';
import { Kernel } from './kernel.ts';
import { Network, type Packet } from './network.ts';
import { chance, Time } from './time.ts';

/** Milliseconds that a packet is waited for, with a handshake before it. */
const MOMENT = 200;
const HANDSHAKES_APART = 6_000;

interface Machine {
  readonly kernel: Kernel;
  dataplane: ModelDataplane;
  wanted: Wanted;
  /** Of its clock, in milliseconds. */
  ahead: number;
}

export class ModelWorld implements World {
  readonly size: number;
  readonly time = new Time();
  readonly #network: Network;
  readonly #machines: readonly Machine[];
  readonly #fates = new Map<Packet, { -readonly [field in keyof Fate]: Fate[field] }>();

  constructor(size: number, seed = 1) {
    this.size = size;
    this.#network = new Network(this.time, chance(seed));
    this.#network.witness = {
      lost: () => {},
      wentClear: (packet) => this.#tell(packet, 'clear'),
      arrived: (packet) => this.#tell(packet, 'arrived'),
    };
    this.#machines = Array.from({ length: size }, (_, i) => this.#machine(i + 1));
  }

  async set(node: number, wanted: Wanted): Promise<Report> {
    const machine = this.#at(node);
    machine.wanted = wanted;
    return this.#done(machine.dataplane.set(desiredOf(node, this.size, wanted)));
  }

  observe(node: number): Promise<readonly Observation[]> {
    return this.#done(this.#at(node).dataplane.observe());
  }

  async send(from: number, to: number): Promise<Fate> {
    const [a, b] = [this.#at(from).kernel, this.#at(to).kernel];
    const packet = { from: a, to: b, sentAt: this.time.now() };
    const fate = { arrived: false, clear: false };
    this.#fates.set(packet, fate);
    this.#network.send(a, b, packet);
    await this.time.advance(MOMENT);
    return fate;
  }

  now(): number {
    return this.time.now();
  }

  pass(ms: number): Promise<void> {
    return this.time.advance(ms);
  }

  async deleteDevice(node: number, name: DeviceName): Promise<void> {
    this.#at(node).kernel.deleteDevice(name);
  }

  async removePeer(node: number, name: DeviceName, key: string): Promise<void> {
    const peers = this.#at(node).kernel.devices.get(name)?.peers;
    for (const [one] of peers ?? []) if (one === key) peers?.delete(one);
  }

  async restartAgent(node: number): Promise<void> {
    const machine = this.#at(node);
    machine.dataplane = this.#dataplane(machine);
  }

  async reboot(node: number, ahead = 0): Promise<void> {
    const machine = this.#at(node);
    if (ahead > 0) await this.#handshakesOf(machine, ahead);
    machine.kernel.reset();
    await this.restartAgent(node);
  }

  /** With everybody, by a clock that is ahead. */
  async #handshakesOf(machine: Machine, ahead: number): Promise<void> {
    await this.time.advance(HANDSHAKES_APART);
    machine.ahead = ahead;
    for (const device of machine.kernel.devices.values())
      for (const peer of device.peers.values()) machine.kernel.initiate(device, peer);
    await this.time.advance(HANDSHAKES_APART);
    machine.ahead = 0;
  }

  async cut(node: number, isOff: boolean): Promise<void> {
    if (isOff) this.#network.cut.add(`n${node}`);
    else this.#network.cut.delete(`n${node}`);
  }

  async close(): Promise<void> {}

  #machine(node: number): Machine {
    const kernel = new Kernel({
      node: `n${node}`,
      prefix: pods(node),
      network: this.#network,
      now: () => this.time.now() + machine.ahead,
    });
    this.#network.kernels.set(kernel.node, kernel);
    const machine: Omit<Machine, 'dataplane'> = { kernel, wanted: { generations: [] }, ahead: 0 };
    return Object.assign(machine, { dataplane: this.#dataplane(machine) });
  }

  #dataplane(machine: Omit<Machine, 'dataplane'>): ModelDataplane {
    const { kernel } = machine;
    return new ModelDataplane({
      kernel,
      step: () => this.time.sleep(1 + 7 * this.#network.random()),
      wait: () => this.time.sleep(1),
      publicKey: ({ generation }) => keyOf(Number(kernel.node.slice(1)), generation, machine.wanted),
    });
  }

  #at(node: number): Machine {
    const machine = this.#machines[node - 1];
    if (machine === undefined) throw new Error(`there is no node ${node}`);
    return machine;
  }

  #tell(packet: Packet, what: keyof Fate): void {
    const fate = this.#fates.get(packet);
    if (fate !== undefined) fate[what] = true;
  }

  async #done<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const end = () => {
      over = true;
    };
    void work.then(end, end);
    while (!over) await this.time.advance(1);
    return work;
  }
}

/** A cluster on a virtual clock: machines, an API server, pods that talk all the time, and a witness who counts what must not be. */
import assert from 'node:assert/strict';
import { parseRecord } from '../../mesh/record.ts';
import type { MeshConfig } from '../../mesh/types.ts';
import { config } from '../mesh/fixtures.ts';
import { Api, type Wish } from './api.ts';
import type { Kernel } from './kernel.ts';
import { Machine } from './machine.ts';
import { Network, type Packet } from './network.ts';
import { chance, Time } from './time.ts';

/** Milliseconds between two packets from each pod to each other. */
const BEAT = 100;
export const DRAIN = 10_000;

const MESH: MeshConfig = { ...config, rotation: { drain: DRAIN, passOver: [] } };

export interface Losses {
  /** What nothing excuses. */
  readonly lost: string[];
  /** In clear, from a node whose door had to be shut. */
  readonly leaked: string[];
}

export class Cluster {
  readonly time = new Time();
  readonly random: () => number;
  readonly api: Api;
  readonly network: Network;
  readonly machines: Machine[] = [];
  readonly losses: Losses = { lost: [], leaked: [] };
  /** Each pair is silent for a quarter of a minute now and then: longer than any silence that is waited for. */
  sparse = false;
  /** Told of a packet that is lost: why that is nobody's fault. */
  excuse: (packet: Packet, why: string) => boolean = () => false;
  /** Since when each node was told to shut its door, and did not hear otherwise; of the network's time. */
  readonly #strictSince = new Map<string, number>();

  constructor(seed: number, size: number, wish: Omit<Wish, 'version'>) {
    this.random = chance(seed);
    this.api = new Api(this.time, this.random, wish);
    this.network = new Network(this.time, this.random);
    this.network.witness = {
      lost: (packet, why) => this.#lost(packet, why),
      wentClear: (packet) => this.#clear(packet),
    };
    for (let i = 1; i <= size; i += 1) this.add();
    this.#beat();
  }

  add(): Machine {
    const { api, network } = this;
    const machine: Machine = new Machine(this.machines.length + 1, {
      api,
      network,
      config: MESH,
      moves: () => this.#probe(machine),
    });
    this.machines.push(machine);
    machine.register();
    machine.startAgent();
    return machine;
  }

  machine(at: number): Machine {
    const machine = this.machines[at % this.machines.length];
    assert.ok(machine);
    return machine;
  }

  async run(ms: number): Promise<void> {
    await this.time.advance(ms);
  }

  /** Whether it came to be within so many milliseconds. */
  async until(good: () => boolean, ms: number): Promise<boolean> {
    for (let waited = 0; waited < ms; waited += 500) {
      if (good()) return true;
      await this.run(500);
    }
    return good();
  }

  /** Every node holds this one generation and sends on it alone, through it to every other. */
  isEncrypted(generation?: number): boolean {
    const up = this.machines.filter((machine) => machine.up);
    const held = up.map(({ agent }) => agent?.mesher.stance);
    const first = held[0]?.held[0]?.number;
    const alike = held.every(
      (stance) =>
        stance?.held.length === 1 && stance.held[0]?.number === first && stance.sending.join() === `${first}`,
    );
    if (!alike || first === undefined || (generation ?? first) !== first) return false;
    return up.every(({ kernel }) =>
      up.every((other) => other.kernel === kernel || kernel.routes.has(other.kernel.prefix)),
    );
  }

  /** As the records tell it, and nobody asks an agent. */
  saysEncrypted(): boolean {
    const { encryption, version } = this.api.wish;
    const records = this.api.nodes.map(parseRecord);
    return (
      encryption !== 'none' &&
      records.every(
        ({ generations, sending, agent }) =>
          agent?.observedGeneration === version && generations.length > 0 && !sending.includes(0),
      )
    );
  }

  /** Every node has said that it follows what is wished now. */
  followed(): boolean {
    const { version } = this.api.wish;
    return this.api.nodes.map(parseRecord).every(({ agent }) => agent?.observedGeneration === version);
  }

  cutApi({ name }: Machine, lasts: number): void {
    this.api.disconnect(name);
    this.time.after(lasts, () => this.api.reconnect(name));
  }

  /** Ends whatever still goes on. */
  heal(): void {
    this.network.cut.clear();
    this.api.heal();
    this.api.say({ passOver: [] });
    for (const machine of this.machines) {
      if (!this.api.has(machine.name)) machine.register();
      if (machine.agent === undefined) machine.startAgent();
    }
  }

  isOff(): boolean {
    return this.machines.every(
      ({ up, agent, kernel }) =>
        !up || (agent?.mesher.stance?.held.length === 0 && kernel.devices.size === 0 && !kernel.doorShut),
    );
  }

  describe(): string {
    return this.machines
      .map(({ name, up, agent, kernel }) => {
        const stance = agent?.mesher.stance;
        const held = stance?.held.map(({ number }) => number).join();
        const waiting = agent?.mesher.waiting.map(({ node, code }) => `${node} ${code}`).join() ?? '';
        const routes = [...kernel.routes].map(([to, device]) => `${to}>${device}`).join(' ');
        return `${name}${up ? '' : ' (down)'}: holds ${held}, sends ${stance?.sending.join()}, ${stance?.mode}; ${waiting}; ${routes}`;
      })
      .join('\n');
  }

  #beat(): void {
    for (const { kernel: from, up } of this.machines) {
      if (!up) continue;
      for (const { kernel: to, up: there } of this.machines) if (there && from !== to) this.#send(from, to);
    }
    this.#watchDoors();
    for (const machine of this.machines) {
      // Whoever dropped its key is a newcomer with the next.
      if (machine.agent?.mesher.stance?.held.length === 0) machine.in = false;
      machine.in ||= this.#isIn(machine);
    }
    this.time.after(BEAT, () => this.#beat());
  }

  /** A packet each way between this node and each other: for the moments at which something moves. */
  #probe(machine: Machine): void {
    if (!machine.up) return;
    for (const other of this.machines) {
      if (other === machine || !other.up) continue;
      this.#send(machine.kernel, other.kernel);
      this.#send(other.kernel, machine.kernel);
    }
  }

  #send(from: Kernel, to: Kernel): void {
    const quarter = Math.floor(this.time.now() / 15_000);
    const pair = this.network.order(from) * 31 + this.network.order(to);
    if (this.sparse && chance(quarter * 1009 + pair)() < 0.75) return;
    this.network.send(from, to);
  }

  #isIn({ kernel, up }: Machine): boolean {
    return (
      up &&
      this.machines.every(
        (other) =>
          other.kernel === kernel ||
          !other.up ||
          (kernel.routes.has(other.prefix) && other.kernel.routes.has(kernel.prefix)),
      )
    );
  }

  #watchDoors(): void {
    for (const { name, up, agent, disk } of this.machines) {
      const mesh = agent?.config.config.mesh;
      // One that went down in its first seconds boots as if for the first time.
      if (disk.knowledge === undefined) this.#strictSince.delete(name);
      // An agent that is dead, or has not heard yet, leaves the door as it is.
      if (mesh === undefined || agent?.config.basis === 'nothing') continue;
      if (up && mesh.mode === 'strict' && mesh.encryption !== 'none') {
        if (!this.#strictSince.has(name)) this.#strictSince.set(name, this.time.now());
      } else this.#strictSince.delete(name);
    }
  }

  /** A turn that was under way when the wish came ends first. */
  #clear({ from, sentAt }: Packet): void {
    this.#watchDoors();
    const since = this.#strictSince.get(from.node);
    if (since !== undefined && sentAt - since > 500)
      this.losses.leaked.push(`${this.#at()} ${from.node} in clear`);
  }

  #lost(packet: Packet, why: string): void {
    if (this.excuse(packet, why)) return;
    const { from, to, sentAt } = packet;
    const age = this.time.now() - sentAt;
    this.losses.lost.push(
      `${this.#at()} ${from.node} to ${to.node}, sent ${age.toFixed(0)} ms before: ${why}`,
    );
  }

  #at(): string {
    return `${((this.time.now() - Date.UTC(2026, 10, 22)) / 1000).toFixed(2)} s:`;
  }
}

/** A machine: a kernel that a reboot empties, a disk that it does not, a clock that may be wrong, and an agent or none. */
import type { Address, MeshConfig, Prefix } from '../../mesh/types.ts';
import type { Clock } from '../../operator/clock.ts';
import { address, prefix } from '../mesh/fixtures.ts';
import { SimulatedAgent } from './agent.ts';
import type { Api } from './api.ts';
import { Disk } from './disk.ts';
import { Kernel } from './kernel.ts';
import type { Network } from './network.ts';
import type { Time } from './time.ts';

export class Machine {
  readonly name: string;
  readonly prefix: Prefix;
  readonly address: Address;
  readonly api: Api;
  readonly time: Time;
  readonly random: () => number;
  readonly network: Network;
  readonly disk = new Disk();
  readonly kernel: Kernel;
  readonly #config: MeshConfig;
  /** Something in its kernel is about to be another. */
  readonly moves: () => void;
  /** It once had a tunnel to each other, and each to it. */
  in = false;
  agent: SimulatedAgent | undefined;
  /** Milliseconds that its clock is off. */
  offset = 0;
  /** Its pods run. */
  up = false;
  /** Since when, in the network's time. */
  upSince = 0;

  constructor(i: number, parts: { api: Api; network: Network; config: MeshConfig; moves: () => void }) {
    this.name = `n${i}`;
    this.prefix = prefix(`10.244.${i}.0/24`);
    this.address = address(`192.0.2.${i}`);
    this.api = parts.api;
    this.network = parts.network;
    this.time = parts.network.time;
    this.random = parts.network.random;
    this.#config = parts.config;
    this.moves = parts.moves;
    this.kernel = new Kernel({
      node: this.name,
      prefix: this.prefix,
      network: this.network,
      now: () => this.clock.now(),
    });
    this.network.kernels.set(this.name, this.kernel);
  }

  readonly clock: Clock = {
    now: () => this.time.now() + this.offset,
    after: (ms, callback) => this.time.after(ms, callback),
  };

  /** Its Node, with what the kubelet says of it. */
  register(): void {
    this.api.register(this.name);
  }

  startAgent(): void {
    this.killAgent();
    this.agent = new SimulatedAgent(this, this.#config);
    void this.agent.start();
  }

  killAgent(): void {
    this.agent?.kill();
    this.agent = undefined;
  }

  /** Pods start after the agent has had its first moment. */
  started(): void {
    if (!this.up) this.upSince = this.time.now();
    this.up = true;
  }

  /** Off: the kernel's state is gone, the disk stays. */
  stop(): void {
    this.killAgent();
    this.up = false;
    this.kernel.reset();
  }
}

/** The door to a modelled kernel: each step of a `set` takes its time, and packets go on between them. */
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName, DevicePlan, MeshPlan } from '../../mesh/types.ts';
import type { Dataplane, DesiredState, Pending, Report } from '../../tunnels/dataplane.ts';
import { PROVOKING_KEEPALIVE } from '../../tunnels/wireguard/peers.ts';
import type { Kernel } from './kernel.ts';
import type { Device } from './wireguard.ts';

/** Milliseconds without a packet after which a withdrawn device goes. */
const QUIET = 5_000;
/** How many times as long one is kept at most. */
const LONGEST_QUIET = 60;

export interface ModelOptions {
  readonly kernel: Kernel;
  /** Resolves after a step; never when the agent was killed meanwhile. */
  readonly step: () => Promise<void>;
  readonly wait: () => Promise<void>;
  readonly publicKey: (device: Pick<DevicePlan, 'generation' | 'driver'>) => PublicKey;
}

export class ModelDataplane implements Dataplane {
  readonly #options: ModelOptions;
  /** Of a withdrawn device: bytes, and since when they stand. */
  readonly #silences = new Map<
    DeviceName,
    { readonly bytes: number; readonly since: number; readonly begun: number }
  >();

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  async shut(): Promise<Report> {
    this.#options.kernel.doorShut = true;
    await this.#options.step();
    return { changes: [], errors: [], devices: [], pending: [] };
  }

  async set(desired: DesiredState): Promise<Report> {
    const { kernel, step } = this.#options;
    const { plan } = desired;
    if (plan.mode === 'strict') kernel.doorShut = true;
    await step();
    for (const device of plan.devices) this.#device(device);
    await step();
    for (const device of plan.devices) this.#peers(device, desired);
    await step();
    this.#routes(desired, 'add');
    await step();
    this.#routes(desired, 'remove');
    if (plan.mode !== 'strict') kernel.doorShut = false;
    await step();
    for (const device of plan.devices) this.#prune(device, plan);
    const pending = this.#takeBack(plan);
    const devices = plan.devices.map(({ name, generation, port }) => {
      return { name, generation, port, mtu: 1420, implementation: 'kernel' as const };
    });
    return { changes: [], errors: [], devices, pending };
  }

  preview = async () => [];
  async observe() {
    await this.#options.wait();
    return this.#options.kernel.observations();
  }
  watch(): void {}
  close = async () => {};

  #device(wanted: DevicePlan): void {
    const { name, generation, driver } = wanted;
    const { kernel } = this.#options;
    const known = kernel.devices.get(name);
    const publicKey = this.#options.publicKey(wanted);
    if (known?.generation !== generation || known.driver !== driver) {
      kernel.deleteDevice(name);
      kernel.devices.set(name, { name, generation, driver, publicKey, peers: new Map() });
    } else if (known.publicKey !== publicKey) kernel.rekeyed(known, publicKey);
    this.#silences.delete(name);
  }

  #peers(wanted: DevicePlan, { plan, keepalive: provoked, restart }: DesiredState): void {
    const { kernel } = this.#options;
    const device = kernel.devices.get(wanted.name);
    if (device === undefined) return;
    for (const { node, links, allowedIPs } of plan.peers) {
      const link = links.find((one) => one.device === wanted.name);
      if (link === undefined) continue;
      const newest = link === links.at(-1);
      const { publicKey } = link;
      const known = device.peers.get(publicKey);
      const asks =
        link.driver === 'ipsec' ? known?.lastHandshake === undefined : provoked?.has(node) === true;
      const keepalive = newest && asks ? PROVOKING_KEEPALIVE : wanted.keepalive;
      if (newest && restart?.includes(node) && known?.lastHandshake === undefined)
        device.peers.delete(publicKey);
      const peer = device.peers.get(publicKey);
      if (peer === undefined) kernel.addPeer(device, { publicKey, node, allowedIPs, keepalive });
      else this.#change(device, { publicKey, keepalive, allowedIPs });
    }
  }

  #change(
    device: Device,
    {
      publicKey,
      keepalive,
      allowedIPs,
    }: { publicKey: PublicKey; keepalive: number; allowedIPs: MeshPlan['ownPrefixes'] },
  ): void {
    const { kernel } = this.#options;
    const peer = device.peers.get(publicKey);
    if (peer === undefined) return;
    if (peer.allowedIPs.join() !== allowedIPs.join()) kernel.allow(device, peer, allowedIPs);
    if (peer.keepalive === keepalive) return;
    peer.keepalive = keepalive;
    if (keepalive > 0) kernel.keepAlive(device, peer);
  }

  #routes({ routes }: DesiredState, what: 'add' | 'remove'): void {
    const { kernel } = this.#options;
    const wanted = new Map(
      routes.routes.flatMap(({ prefix, action }) =>
        action.type === 'device' ? [[prefix, action.device] as const] : [],
      ),
    );
    if (what === 'add') for (const [prefix, device] of wanted) kernel.routes.set(prefix, device);
    else for (const prefix of kernel.routes.keys()) if (!wanted.has(prefix)) kernel.routes.delete(prefix);
  }

  #prune({ name }: DevicePlan, plan: MeshPlan): void {
    const device = this.#options.kernel.devices.get(name);
    const wanted = new Set(plan.peers.flatMap(({ links }) => links.map(({ publicKey }) => publicKey)));
    for (const key of device?.peers.keys() ?? []) if (!wanted.has(key)) device?.peers.delete(key);
  }

  #takeBack({ devices }: MeshPlan): readonly Pending[] {
    const { kernel } = this.#options;
    const pending: Pending[] = [];
    for (const [name, device] of kernel.devices) {
      if (devices.some((one) => one.name === name)) continue;
      const retryAfter = devices.length > 0 ? 0 : this.#silence(device);
      if (retryAfter > 0) pending.push({ device: name, retryAfter });
      else kernel.deleteDevice(name);
    }
    return pending;
  }

  #silence({ name, peers }: Device): number {
    const now = this.#options.kernel.network.time.now();
    const bytes = [...peers.values()].reduce((sum, { received, sent }) => sum + received + sent, 0);
    const before = this.#silences.get(name);
    const since = before?.bytes === bytes ? before.since : now;
    const begun = before?.begun ?? now;
    this.#silences.set(name, { bytes, since, begun });
    return Math.max(0, Math.min(since + QUIET, begun + QUIET * LONGEST_QUIET) - now);
  }
}

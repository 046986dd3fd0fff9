/** Our tunnel devices as links: made, marked, with MTU and addresses, up; and taken away when nothing moves on them. */
import type { DeviceName, DevicePlan, MeshPlan } from '../../mesh/types.ts';
import type { DeviceReport, Pending } from '../dataplane.ts';
import type { Implementation, TunnelDriver } from '../driver.ts';
import { change, DataplaneFailure, type Outcome, refused } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import type { Link, Write } from '../netlink/types.ts';
import type { Indexes } from '../routing/routes.ts';
import { deviceMtu } from './mtu.ts';

/** The mark of ownership: `ip link` shows it, and it stays as long as the device. */
const ALIAS = 'sheath generation ';
export const DEVICE_NAMES = ['sheath0', 'sheath1'] as const satisfies readonly DeviceName[];

/** An address that is not the kernel's own link-local one. */
const isAssigned = (address: string) => !address.startsWith('fe80:');
const isIPv4 = (address: string) => !address.includes(':');

/**
 * How many times `quiet` a withdrawn device is kept at most: the others have heard by then, also where thousands write one after the
 * other, and one that sends on nevertheless must not keep this node from switching on again.
 */
const LONGEST_QUIET = 60;

/** A live device of ours. */
export interface LiveDevice {
  readonly plan: DevicePlan;
  readonly link: Link;
  readonly implementation: Implementation;
}

export interface DevicesOptions {
  readonly kernel: Kernel;
  readonly driver: TunnelDriver;
  /** Milliseconds since any moment, whatever the clock is set to. */
  readonly steady: () => number;
  readonly quiet: number;
}

export class Devices {
  readonly #options: DevicesOptions;
  /** Generation and MTU of each device that was complete when we last looked. */
  readonly #settled = new Map<DeviceName, { generation: number; mtu: number }>();
  readonly #silences = new Map<DeviceName, { packets: bigint; since: number; begun: number }>();

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** Makes what is missing. @returns the devices that are there and ours; the others' errors are in `outcome`. */
  async set(plan: MeshPlan, outcome: Outcome): Promise<readonly LiveDevice[]> {
    const live: LiveDevice[] = [];
    for (const device of plan.devices) {
      const about = outcome.about(device.name);
      try {
        const mtu = await deviceMtu(device, plan, this.#options.kernel);
        const found = await this.#ensure(device, mtu, about);
        live.push(found);
        this.#settled.set(device.name, { generation: device.generation, mtu });
        this.#silences.delete(device.name);
      } catch (cause) {
        this.#options.kernel.spoil('links', 'addresses');
        const own = cause instanceof DataplaneFailure;
        about.failed(own ? cause : refused('device', device.name, cause));
      }
    }
    return live;
  }

  /**
   * Removes devices of ours that the plan does not hold. With no plan at all, encryption was switched off, and the others still
   * send until they hear of it: then each stays until no packet came or went for a while.
   */
  async prune(plan: MeshPlan, outcome: Outcome): Promise<readonly Pending[]> {
    const wanted = new Set(plan.devices.map(({ name }) => name));
    const pending: Pending[] = [];
    for (const name of DEVICE_NAMES) {
      const link = wanted.has(name) ? undefined : await this.#options.kernel.link(name);
      if (link === undefined || !isOurs(link)) continue;
      try {
        const retryAfter = plan.devices.length > 0 ? 0 : await this.#silence(name, link);
        if (retryAfter > 0) pending.push({ device: name, retryAfter });
        else await this.#remove(name, outcome.about(name));
      } catch (cause) {
        this.#options.kernel.spoil('links');
        outcome.about(name).failed(refused('device', name, cause));
      }
    }
    return pending;
  }

  /** Whether all devices are as `set` would leave them: for when many notices came, and only the outcome counts. */
  async intact(plan: MeshPlan): Promise<boolean> {
    const { kernel } = this.#options;
    for (const device of plan.devices) {
      const link = await kernel.link(device.name);
      if (link === undefined || !link.up || generationOf(link) !== device.generation) return false;
      if (link.mtu !== (await deviceMtu(device, plan, kernel))) return false;
      const addresses = (await kernel.addresses()).filter(({ index }) => index === link.index);
      if (device.addresses.some((one) => !addresses.some(({ address }) => address === one))) return false;
    }
    return true;
  }

  async #ensure(device: DevicePlan, mtu: number, outcome: Outcome): Promise<LiveDevice> {
    const { kernel, driver } = this.#options;
    let link = await kernel.link(device.name);
    if (link !== undefined && !isOurs(link)) throw foreign(link);
    const asWanted =
      link !== undefined &&
      generationOf(link) === device.generation &&
      driver.implementation(link, device.driver) !== undefined;
    if (link !== undefined && !asWanted) {
      await this.#remove(device.name, outcome);
      link = undefined;
    }
    link ??= await this.#create(device, mtu, outcome);
    await this.#settings(device, { link, mtu }, outcome);
    await this.#addresses(device, link, outcome);
    const current = (await kernel.link(device.name)) ?? link;
    return { plan: device, link: current, implementation: driver.implementation(current) ?? 'kernel' };
  }

  async #create(device: DevicePlan, mtu: number, outcome: Outcome): Promise<Link> {
    const { kernel, driver } = this.#options;
    driver.forget(device.name);
    await driver.create(device);
    await this.#write([
      { type: 'setLink', name: device.name, alias: `${ALIAS}${device.generation}`, mtu, up: true },
    ]);
    kernel.spoil('links', 'addresses');
    const repaired = this.#settled.get(device.name)?.generation === device.generation;
    outcome.changed(
      change('device', 'add', {
        what: `${device.name} generation ${device.generation} mtu ${mtu}`,
        repaired,
      }),
    );
    const link = await kernel.link(device.name);
    if (link !== undefined) return link;
    throw new DataplaneFailure({
      part: 'device',
      code: 'DEVICE_FAILED',
      message: `device ${device.name} was made, and is gone again: is another program removing it?`,
    });
  }

  async #settings(device: DevicePlan, now: { link: Link; mtu: number }, outcome: Outcome): Promise<void> {
    const { link, mtu } = now;
    if (link.mtu === mtu && link.up) return;
    await this.#write([{ type: 'setLink', name: device.name, mtu, up: true }]);
    this.#options.kernel.spoil('links', 'routes', 'addresses');
    const what = `${device.name}${link.mtu === mtu ? '' : ` mtu ${mtu}`}${link.up ? '' : ' up'}`;
    const repaired = this.#settled.get(device.name)?.mtu === mtu;
    outcome.changed(change('device', 'change', { what, repaired }));
  }

  async #addresses(device: DevicePlan, link: Link, outcome: Outcome): Promise<void> {
    const { kernel } = this.#options;
    const has = (await kernel.addresses()).filter(({ index }) => index === link.index);
    const wanted = new Set<string>(device.addresses);
    const missing = device.addresses.filter((address) => !has.some((one) => one.address === address));
    const others = has.map(({ address }) => address).filter((one) => isAssigned(one) && !wanted.has(one));
    // With its last IPv4 address a device loses its routes (inetdev_destroy): the last one stays until the device goes.
    const last = device.addresses.some(isIPv4) ? undefined : others.find(isIPv4);
    const surplus = others.filter((one) => one !== last);
    const repaired = this.#settled.get(device.name)?.generation === device.generation;
    for (const [type, addresses] of [
      ['addAddress', missing],
      ['removeAddress', surplus],
    ] as const) {
      for (const address of addresses) {
        const [error] = await kernel.netlink.write([{ type, index: link.index, address }]);
        kernel.spoil('addresses', 'routes');
        const what = `${address} dev ${device.name}`;
        if (error !== undefined) outcome.failed(refused('address', what, error));
        else outcome.changed(change('address', type === 'addAddress' ? 'add' : 'remove', { what, repaired }));
      }
    }
  }

  /** @returns milliseconds that it must still be silent. */
  async #silence(name: DeviceName, link: Link): Promise<number> {
    const { kernel, steady, quiet } = this.#options;
    const packets = await kernel.netlink.packets(link.index);
    const before = this.#silences.get(name);
    const now = steady();
    const left = (before?.begun ?? now) + quiet * LONGEST_QUIET - now;
    if (before?.packets !== packets) {
      this.#silences.set(name, { packets, since: now, begun: before?.begun ?? now });
      return Math.max(0, Math.min(quiet, left));
    }
    return Math.max(0, Math.min(before.since + quiet - now, left));
  }

  async #remove(name: DeviceName, outcome: Outcome): Promise<void> {
    const { kernel, driver } = this.#options;
    const link = await kernel.link(name);
    try {
      if (link !== undefined) await driver.release?.(name, generationOf(link));
    } catch (cause) {
      outcome.failed(refused('device', name, cause));
    }
    await this.#write([{ type: 'removeLink', name }]);
    driver.forget(name);
    this.#settled.delete(name);
    this.#silences.delete(name);
    kernel.spoil('links', 'addresses', 'routes');
    outcome.changed(change('device', 'remove', { what: name }));
  }

  async #write(writes: readonly Write[]): Promise<void> {
    const errors = await this.#options.kernel.netlink.write(writes);
    for (const error of errors) if (error !== undefined) throw error;
  }
}

export const isOurs = (link: Link) => link.alias?.startsWith(ALIAS) === true;

export const generationOf = (link: Link) => Number(link.alias?.slice(ALIAS.length));

export const indexesOf = (live: readonly LiveDevice[]): Indexes =>
  new Map(live.map(({ plan, link }) => [plan.name, link.index]));

export const reportOf = ({ plan, link, implementation }: LiveDevice): DeviceReport => ({
  name: plan.name,
  generation: plan.generation,
  implementation,
  mtu: link.mtu,
  port: plan.port,
});

function foreign(link: Link): DataplaneFailure {
  const kind = link.kind === undefined ? '' : ` (${link.kind})`;
  return new DataplaneFailure({
    part: 'device',
    code: 'DEVICE_FOREIGN',
    message: `a device ${link.name}${kind} exists and is not ours; remove it with "ip link delete ${link.name}", or rename it`,
  });
}

/**
 * Both drivers as one: each device is its plan's, or where there is no plan, of the driver that knows its kind of link. What goes wrong with
 * the one is nothing to the other.
 */
import type { DeviceName, Observation } from '../mesh/types.ts';
import type { ObserveRequest, TunnelDriver } from './driver.ts';
import { refused } from './failure.ts';

export type Drivers = Readonly<Record<'wireguard' | 'ipsec', TunnelDriver>>;

export function combineDrivers(drivers: Drivers): TunnelDriver {
  const all = [drivers.wireguard, drivers.ipsec];
  /** Whose each device is, since it was wanted. */
  const owners = new Map<DeviceName, TunnelDriver>();
  const looks = new Map(all.map((driver) => [driver, new Look(driver)]));
  return {
    implementation: (link, driver) =>
      driver === undefined
        ? (drivers.wireguard.implementation(link) ?? drivers.ipsec.implementation(link))
        : drivers[driver].implementation(link),
    create: (device) => drivers[device.driver].create(device),
    refresh: (request) => {
      const driver = drivers[request.device.driver];
      owners.set(request.device.name, driver);
      return driver.refresh(request);
    },
    async configure(request, outcome) {
      const { name, driver } = request.device;
      const trouble = looks.get(drivers[driver])?.trouble(name);
      if (trouble !== undefined) outcome.failed(refused('device', name, trouble));
      await drivers[driver].configure(request, outcome);
    },
    prune: async (device, outcome) => owners.get(device)?.prune(device, outcome),
    observe: async (device, request) =>
      (await Promise.all(Array.from(looks.values(), (look) => look.observe(device, request)))).flat(),
    disturbed: (device) => all.some((driver) => driver.disturbed(device)),
    release: async (device, generation) => {
      for (const driver of all) await driver.release?.(device, generation);
    },
    sweep: async () => {
      for (const driver of all) await driver.sweep?.();
    },
    async report() {
      const told = await Promise.allSettled(all.map(async (driver) => driver.report?.()));
      return Object.assign({}, ...told.map((one) => (one.status === 'fulfilled' ? one.value : {})));
    },
    forget: (device) => {
      owners.delete(device);
      for (const driver of all) driver.forget(device);
      for (const look of looks.values()) look.forget(device);
    },
    close: () => {
      for (const driver of all) driver.close();
    },
  };
}

/** What cannot be read is as it was seen last: because one device is ill, nobody is to be taken for silent. */
class Look {
  readonly #driver: TunnelDriver;
  readonly #last = new Map<DeviceName, readonly Observation[]>();
  readonly #troubles = new Map<DeviceName, unknown>();

  constructor(driver: TunnelDriver) {
    this.#driver = driver;
  }

  /** Why the last look failed. */
  trouble(device: DeviceName): unknown {
    return this.#troubles.get(device);
  }

  async observe(device: DeviceName, request: ObserveRequest): Promise<readonly Observation[]> {
    try {
      const found = await this.#driver.observe(device, request);
      this.#last.set(device, found);
      this.#troubles.delete(device);
      return found;
    } catch (error) {
      this.#troubles.set(device, error);
      return this.#last.get(device)?.filter(({ generation }) => generation === request.generation) ?? [];
    }
  }

  forget(device: DeviceName): void {
    this.#last.delete(device);
    this.#troubles.delete(device);
  }
}

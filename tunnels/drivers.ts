/** Both drivers as one: each device is its plan's, or where there is no plan, of the driver that knows its kind of link. */
import type { DeviceName } from '../mesh/types.ts';
import type { TunnelDriver } from './driver.ts';

export type Drivers = Readonly<Record<'wireguard' | 'ipsec', TunnelDriver>>;

export function combineDrivers(drivers: Drivers): TunnelDriver {
  const all = [drivers.wireguard, drivers.ipsec];
  /** Whose each device is, since it was wanted. */
  const owners = new Map<DeviceName, TunnelDriver>();
  return {
    implementation: (link) => drivers.wireguard.implementation(link) ?? drivers.ipsec.implementation(link),
    create: (device) => drivers[device.driver].create(device),
    refresh: (request) => {
      const driver = drivers[request.device.driver];
      owners.set(request.device.name, driver);
      return driver.refresh(request);
    },
    configure: async (request, outcome) => drivers[request.device.driver].configure(request, outcome),
    prune: async (device, outcome) => owners.get(device)?.prune(device, outcome),
    observe: async (device, request) =>
      (await Promise.all(all.map((driver) => driver.observe(device, request)))).flat(),
    disturbed: (device) => all.some((driver) => driver.disturbed(device)),
    release: async (device, generation) => {
      for (const driver of all) await driver.release?.(device, generation);
    },
    forget: (device) => {
      owners.delete(device);
      for (const driver of all) driver.forget(device);
    },
    close: () => {
      for (const driver of all) driver.close();
    },
  };
}

/**
 * The order of one `set` across the parts: what accepts before what sends, and what sends is withdrawn before what accepts.
 *
 *   sysctls ▸ devices ▸ peers ▸ firewall ▸ routes ▸ rules    then    rules ▸ routes ▸ peers ▸ devices ▸ firewall ▸ sysctls
 *   ────────────────── additions ───────────────────             ──────────────────────── removals ────────────────────
 *
 * Peers come before the firewall, which is a program to run: handshakes take their time meanwhile, and no packet enters a tunnel
 * before it has a route. But in strict mode the firewall is the very first, so that the door is shut before there is a peer, and a door
 * that is wanted no more opens when all routes are there.
 */
import type { DesiredState, Pending, Report } from './dataplane.ts';
import { type Devices, indexesOf, type LiveDevice, reportOf } from './devices/devices.ts';
import { underlayLinks } from './devices/mtu.ts';
import type { DeviceRequest, TunnelDriver } from './driver.ts';
import { type Outcome, refused } from './failure.ts';
import type { Firewall } from './firewall/firewall.ts';
import type { Kernel } from './kernel.ts';
import { flushCachedRoutes } from './routing/flush.ts';
import type { Routes } from './routing/routes.ts';
import type { Rules } from './routing/rules.ts';
import type { Sysctls } from './sysctl.ts';

export interface Parts {
  readonly kernel: Kernel;
  readonly sysctls: Sysctls;
  readonly firewall: Firewall;
  readonly devices: Devices;
  readonly driver: TunnelDriver;
  readonly routes: Routes;
  readonly rules: Rules;
}

export async function setAll(parts: Parts, desired: DesiredState, outcome: Outcome): Promise<Report> {
  const { plan } = desired;
  await parts.firewall.shut(plan, outcome);
  const underlay = await underlayNames(parts, desired, outcome);
  await parts.sysctls.set({ ours: [], underlay }, outcome);
  const live = await parts.devices.set(plan, outcome);
  await parts.sysctls.set({ ours: live.map(({ link }) => link.name), underlay: [] }, outcome);
  const ready = await configure(parts, { desired, live }, outcome);
  await parts.firewall.set(plan, outcome);
  await route(parts, { desired, live }, outcome);
  await parts.firewall.open(plan, outcome);
  for (const { plan: device } of ready) await parts.driver.prune(device.name, outcome.about(device.name));
  const pending = await takeBack(parts, desired, outcome);
  const door = await attempt(undefined, outcome, () => parts.firewall.report(plan));
  const own = await parts.driver.report?.();
  return {
    changes: outcome.changes,
    errors: outcome.errors,
    devices: live.map(reportOf),
    pending,
    ...(door === undefined ? {} : { door }),
    ...own,
  };
}

/**
 * What is withdrawn after all else: devices, and when the last is gone, what served them. While one is there, or cannot be looked at, the
 * sysctls stay: a link whose `rp_filter` is strict again for a moment drops the packets of whoever sends by the other way.
 */
async function takeBack(parts: Parts, { plan }: DesiredState, outcome: Outcome): Promise<readonly Pending[]> {
  const pending = await attempt(undefined, outcome, () => parts.devices.prune(plan, outcome));
  await attempt(undefined, outcome, async () => parts.driver.sweep?.());
  const allGone = plan.devices.length === 0 && pending?.length === 0;
  if (plan.devices.length > 0 || allGone) await parts.firewall.prune(plan, outcome);
  if (allGone) await attempt(undefined, outcome, () => parts.sysctls.restore(outcome));
  return pending ?? [];
}

async function underlayNames(parts: Parts, { plan }: DesiredState, outcome: Outcome): Promise<string[]> {
  if (plan.devices.length === 0) return [];
  const links = await attempt([], outcome, () => underlayLinks(plan.ownAddresses, parts.kernel));
  return links.map(({ name }) => name);
}

interface Live {
  readonly desired: DesiredState;
  readonly live: readonly LiveDevice[];
}

/** @returns the devices that could be read. */
async function configure(parts: Parts, { desired, live }: Live, outcome: Outcome): Promise<LiveDevice[]> {
  const ready: LiveDevice[] = [];
  for (const device of live) {
    const request: DeviceRequest = {
      device: device.plan,
      implementation: device.implementation,
      plan: desired.plan,
      desired,
    };
    const about = outcome.about(device.plan.name);
    try {
      await parts.driver.refresh(request);
      await parts.driver.configure(request, about);
      ready.push(device);
    } catch (cause) {
      parts.driver.forget(device.plan.name);
      parts.kernel.spoil('links');
      about.failed(refused('device', device.plan.name, cause));
    }
  }
  return ready;
}

async function route(parts: Parts, { desired, live }: Live, outcome: Outcome): Promise<void> {
  const { plan, routes } = desired;
  await attempt(undefined, outcome, async () => {
    await parts.routes.refresh(routes, indexesOf(live), plan.routing);
    await parts.rules.refresh(routes);
    const added = await parts.routes.add(outcome, plan.routing);
    const ruled = await parts.rules.add(outcome, plan);
    const unruled = await parts.rules.remove(outcome);
    const removed = await parts.routes.remove(outcome);
    const device = live[0];
    // Removals count too: a socket that caches the way into a tunnel that is withdrawn loses its packets there.
    if ([added, ruled, unruled, removed].some((families) => families.has(6)) && device !== undefined) {
      await flushCachedRoutes(parts.kernel, device.link.index);
    }
  });
}

/** A part that cannot even be read is one error, not the end of the others. */
async function attempt<T>(otherwise: T, outcome: Outcome, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    outcome.failed(refused('route', 'reading the kernel', cause));
    return otherwise;
  }
}

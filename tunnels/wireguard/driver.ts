/** The WireGuard driver: the kernel's WireGuard first, wireguard-go where there is none. */
import { KernelWireGuard, UserspaceWireGuard, type WireGuard } from 'wireguard-tools-wrapper';
import type { DeviceName, DevicePlan } from '../../mesh/types.ts';
import type { Implementation, TunnelDriver } from '../driver.ts';
import { codeOf, DataplaneFailure } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import type { Link } from '../netlink/types.ts';
import { DeviceState } from './device.ts';
import { startUserspace, type UserspaceOptions } from './userspace.ts';

export interface WireGuardDriverOptions extends UserspaceOptions {
  readonly kernel: Kernel;
  readonly policy: 'auto' | 'always' | 'never';
  readonly now: () => number;
  readonly open: (implementation: Implementation) => WireGuard;
}

export function createWireGuardDriver(options: WireGuardDriverOptions): TunnelDriver {
  const opened = new Map<Implementation, WireGuard>();
  const states = new Map<DeviceName, DeviceState>();

  const wireguard = (implementation: Implementation): WireGuard => {
    const known = opened.get(implementation);
    if (known !== undefined) return known;
    const fresh = options.open(implementation);
    opened.set(implementation, fresh);
    return fresh;
  };

  const state = (device: DeviceName, implementation: Implementation): DeviceState => {
    const known = states.get(device);
    if (known !== undefined) return known;
    const fresh = new DeviceState(device, wireguard(implementation), options.now);
    states.set(device, fresh);
    return fresh;
  };

  return {
    implementation: implementationOf,
    create: (device) => create(device, options),
    refresh: (request) => state(request.device.name, request.implementation).refresh(request),
    configure: async (request, outcome) => states.get(request.device.name)?.configure(request, outcome),
    prune: async (device, outcome) => states.get(device)?.prune(outcome),
    // Also before anything was wanted of it: what a former agent left is looked at first.
    async observe(device, request) {
      const link = await options.kernel.link(device);
      const implementation = link === undefined ? undefined : implementationOf(link);
      return implementation === undefined ? [] : state(device, implementation).observe(request);
    },
    disturbed: (device) => states.get(device)?.disturbed ?? false,
    forget: (device) => void states.delete(device),
    close: () => {
      for (const one of opened.values()) one.close();
      opened.clear();
    },
  };
}

function implementationOf(link: Link): Implementation | undefined {
  if (link.kind === 'wireguard') return 'kernel';
  return link.kind === 'tun' ? 'userspace' : undefined;
}

async function create(device: DevicePlan, options: WireGuardDriverOptions): Promise<void> {
  if (options.policy === 'always') return startUserspace(device.name, options);
  const [error] = await options.kernel.netlink.write([
    { type: 'createLink', name: device.name, kind: 'wireguard' },
  ]);
  if (error === undefined) return;
  if (codeOf(error) !== 'EOPNOTSUPP' && codeOf(error) !== 'ENOTSUP') throw error;
  if (options.policy === 'auto') return startUserspace(device.name, options);
  throw new DataplaneFailure({
    part: 'device',
    code: 'KERNEL_WITHOUT_WIREGUARD',
    message: `device ${device.name}: this kernel has no WireGuard; load the module "wireguard", or allow wireguard-go with --wireguard-userspace auto`,
    cause: error,
  });
}

export function openWireGuard(implementation: Implementation, socketDir: string): WireGuard {
  return implementation === 'kernel'
    ? new KernelWireGuard()
    : new UserspaceWireGuard({ socketDirectory: socketDir });
}

/** The IPsec driver: IKEv2 by charon, ESP by the kernel, one XFRM interface a generation. */
import type { DeviceName, DevicePlan, MeshPlan } from '../../mesh/types.ts';
import { DEVICE_NAMES, generationOf, isOurs } from '../devices/devices.ts';
import type { TunnelDriver } from '../driver.ts';
import { codeOf, DataplaneFailure } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import type { Link } from '../netlink/types.ts';
import { AlertStream } from './alert-stream.ts';
import { CHARON, type CharonConfig } from './charon.ts';
import { interfaceId } from './connection.ts';
import type { Daemon } from './daemon.ts';
import { DeviceState } from './device.ts';
import { Keeper } from './keeper.ts';
import { Refusals, type RefusalsOptions } from './refusals.ts';
import { releaseGeneration, releaseLeftovers } from './release.ts';
import { Sessions } from './sessions.ts';
import { DEFAULT_IPSEC, type IpsecSettings } from './settings.ts';
import { readDrops } from './xfrm/statistics.ts';
import type { Xfrm } from './xfrm/types.ts';
import { openXfrm } from './xfrm/xfrm.ts';

export interface IpsecDriverOptions {
  readonly kernel: Kernel;
  readonly daemon: Daemon;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds since any moment, never set. */
  readonly steady: () => number;
  /** Read anew for each `set`: the configuration may change while we run. */
  readonly settings?: () => IpsecSettings;
  /** Default: opens a socket when it is first needed. */
  readonly xfrm?: () => Xfrm;
  /** UDP. Default: 500 and 4500. */
  readonly ports?: CharonConfig['ports'];
  /** Where charon writes its log, and how much of it. Default: nowhere. */
  readonly log?: CharonConfig['log'];
  /** Path of the socket on which a charon of our own tells what it refused. Absent: nobody listens. */
  readonly alerts?: string;
  readonly onRefusal?: RefusalsOptions['onRefusal'];
  /** Whether what is left of others' devices is taken back. */
  readonly sweeps?: boolean;
}

export function createIpsecDriver(options: IpsecDriverOptions): TunnelDriver {
  const {
    kernel,
    daemon,
    steady,
    settings = () => DEFAULT_IPSEC,
    ports = CHARON.ports,
    log,
    sweeps = true,
  } = options;
  const open = options.xfrm ?? openXfrm;
  let opened: Xfrm | undefined;
  const xfrm = () => {
    opened ??= open();
    return opened;
  };
  const sessions = new Sessions(options.now);
  const keeper = new Keeper({ daemon, xfrm, steady, sessions });
  let swept = false;
  const refusals = new Refusals({ steady, onRefusal: options.onRefusal ?? (() => undefined) });
  const alerts =
    options.alerts === undefined
      ? undefined
      : new AlertStream(options.alerts, (refusal) => refusals.add(refusal));
  const states = new Map<DeviceName, DeviceState>();
  const charon = (plan: MeshPlan): CharonConfig => ({
    fwmark: plan.routing.fwmark.mark,
    ports,
    ...(log === undefined ? {} : { log }),
  });

  const state = (device: DeviceName): DeviceState => {
    const known = states.get(device);
    if (known !== undefined) return known;
    const fresh = new DeviceState(device, { daemon, xfrm: xfrm(), keeper, sessions, settings, charon });
    states.set(device, fresh);
    return fresh;
  };

  const forget = (device: DeviceName): void => {
    states.delete(device);
    keeper.forget(device);
  };

  return {
    implementation: (link) => (link.kind === 'xfrm' ? 'kernel' : undefined),
    create: (device) => create(device, kernel),
    refresh: (request) => state(request.device.name).refresh(request),
    async configure(request, outcome) {
      await alerts?.connect();
      await states.get(request.device.name)?.configure(request, outcome);
    },
    prune: async (device, outcome) => states.get(device)?.prune(outcome),
    async observe(device, request) {
      const link: Link | undefined = await kernel.link(device);
      return link?.kind === 'xfrm' ? state(device).observe(request) : [];
    },
    disturbed: (device) => states.get(device)?.disturbed ?? false,
    async release(device, generation) {
      if ((await kernel.link(device))?.kind !== 'xfrm') return;
      forget(device);
      await releaseGeneration(generation, { daemon, xfrm: xfrm() });
    },
    async sweep() {
      const links = await Promise.all(DEVICE_NAMES.map((name) => kernel.link(name)));
      const held = links.filter((link) => link?.kind === 'xfrm' && isOurs(link));
      const gone = [...states.keys()].filter((name) => !held.some((link) => link?.name === name));
      if (!sweeps || (swept && gone.length === 0)) return;
      for (const name of gone) forget(name);
      const generations = held.flatMap((link) => (link === undefined ? [] : [generationOf(link)]));
      // Where the kernel has no IPsec nobody left any.
      const socket = attempt(xfrm);
      if (socket !== undefined) await releaseLeftovers(generations, { daemon, xfrm: socket });
      swept = true;
    },
    async report() {
      if (states.size === 0) return {};
      const refused = alerts?.open === true ? { refused: refusals.counts } : {};
      return { ipsec: { dropped: await readDrops(), ...refused } };
    },
    forget,
    close: () => {
      keeper.close();
      alerts?.close();
      daemon.close();
      opened?.close();
      opened = undefined;
    },
  };
}

function attempt<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch {
    return undefined;
  }
}

async function create(device: DevicePlan, kernel: Kernel): Promise<void> {
  const [error] = await kernel.netlink.write([
    {
      type: 'createLink',
      name: device.name,
      kind: 'xfrm',
      interfaceId: interfaceId(device.generation),
    },
  ]);
  if (error === undefined) return;
  if (codeOf(error) !== 'EOPNOTSUPP' && codeOf(error) !== 'ENOTSUP') throw error;
  throw new DataplaneFailure({
    part: 'device',
    code: 'KERNEL_WITHOUT_IPSEC',
    message: `device ${device.name}: this kernel has no XFRM interfaces; load the module "xfrm_interface", or use WireGuard`,
    cause: error,
  });
}

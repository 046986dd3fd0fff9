/** The IPsec driver: IKEv2 by charon, ESP by the kernel, one XFRM interface a generation. */
import type { DeviceName, DevicePlan, MeshPlan, Observation } from '../../mesh/types.ts';
import type { Report } from '../dataplane.ts';
import { DEVICE_NAMES, generationOf, isOurs } from '../devices/devices.ts';
import type { DeviceRequest, ObserveRequest, TunnelDriver } from '../driver.ts';
import { codeOf, DataplaneFailure, type Outcome } from '../failure.ts';
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

export const createIpsecDriver = (options: IpsecDriverOptions): TunnelDriver => new IpsecDriver(options);

class IpsecDriver implements TunnelDriver {
  readonly #options: IpsecDriverOptions;
  readonly #sessions: Sessions;
  readonly #keeper: Keeper;
  readonly #refusals: Refusals;
  readonly #alerts: AlertStream | undefined;
  readonly #states = new Map<DeviceName, DeviceState>();
  #opened: Xfrm | undefined;
  #swept = false;

  constructor(options: IpsecDriverOptions) {
    const { daemon, steady, now, alerts, onRefusal = () => undefined } = options;
    this.#options = options;
    this.#sessions = new Sessions(now);
    this.#keeper = new Keeper({ daemon, xfrm: () => this.#xfrm, steady, sessions: this.#sessions });
    this.#refusals = new Refusals({ steady, onRefusal });
    this.#alerts =
      alerts === undefined ? undefined : new AlertStream(alerts, (refusal) => this.#refusals.add(refusal));
  }

  implementation(link: Link): 'kernel' | undefined {
    return link.kind === 'xfrm' ? 'kernel' : undefined;
  }

  create(device: DevicePlan): Promise<void> {
    return create(device, this.#options.kernel);
  }

  refresh(request: DeviceRequest): Promise<void> {
    return this.#state(request.device.name).refresh(request);
  }

  async configure(request: DeviceRequest, outcome: Outcome): Promise<void> {
    await this.#alerts?.connect();
    await this.#states.get(request.device.name)?.configure(request, outcome);
  }

  async prune(device: DeviceName, outcome: Outcome): Promise<void> {
    await this.#states.get(device)?.prune(outcome);
  }

  async observe(device: DeviceName, request: ObserveRequest): Promise<readonly Observation[]> {
    const link = await this.#options.kernel.link(device);
    return link?.kind === 'xfrm' ? this.#state(device).observe(request) : [];
  }

  disturbed(device: DeviceName): boolean {
    return this.#states.get(device)?.disturbed ?? false;
  }

  async release(device: DeviceName, generation: number): Promise<void> {
    const { kernel, daemon } = this.#options;
    if ((await kernel.link(device))?.kind !== 'xfrm') return;
    const ownKey = this.#states.get(device)?.ownKey;
    this.forget(device);
    const last = (await this.#held()).every(({ name }) => name === device);
    await releaseGeneration(generation, { daemon, xfrm: this.#xfrm, last, ownKey });
  }

  async sweep(): Promise<void> {
    const { daemon, sweeps = true } = this.#options;
    const held = await this.#held();
    const gone = [...this.#states.keys()].filter((name) => !held.some((link) => link.name === name));
    if (!sweeps || (this.#swept && gone.length === 0)) return;
    for (const name of gone) this.forget(name);
    // Where the kernel has no IPsec nobody left any.
    const xfrm = attempt(() => this.#xfrm);
    if (xfrm !== undefined) await releaseLeftovers(held.map(generationOf), { daemon, xfrm });
    this.#swept = true;
  }

  async report(): Promise<Pick<Report, 'ipsec'>> {
    if (this.#states.size === 0) return {};
    const refused = this.#alerts?.open === true ? { refused: this.#refusals.counts } : {};
    return { ipsec: { dropped: await readDrops(), ...refused } };
  }

  forget(device: DeviceName): void {
    this.#states.get(device)?.end();
    this.#states.delete(device);
    this.#keeper.forget(device);
  }

  close(): void {
    this.#keeper.close();
    this.#alerts?.close();
    this.#options.daemon.close();
    this.#opened?.close();
    this.#opened = undefined;
  }

  get #xfrm(): Xfrm {
    this.#opened ??= (this.#options.xfrm ?? openXfrm)();
    return this.#opened;
  }

  #state(device: DeviceName): DeviceState {
    const known = this.#states.get(device);
    if (known !== undefined) return known;
    const { daemon, settings = () => DEFAULT_IPSEC } = this.#options;
    const fresh = new DeviceState(device, {
      daemon,
      xfrm: this.#xfrm,
      keeper: this.#keeper,
      sessions: this.#sessions,
      settings,
      charon: (plan) => this.#charon(plan),
    });
    this.#states.set(device, fresh);
    return fresh;
  }

  #charon({ routing }: MeshPlan): CharonConfig {
    const { ports = CHARON.ports, log } = this.#options;
    return { fwmark: routing.fwmark.mark, ports, ...(log === undefined ? {} : { log }) };
  }

  /** Devices of ours and of this driver that there are. */
  async #held(): Promise<Link[]> {
    const links = await Promise.all(DEVICE_NAMES.map((name) => this.#options.kernel.link(name)));
    return links.filter((link) => link !== undefined).filter((link) => link.kind === 'xfrm' && isOurs(link));
  }
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

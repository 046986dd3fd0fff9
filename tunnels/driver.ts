/** What WireGuard and IPsec share: how a device comes to be, and how its peers are kept. One folder a driver. */
import type { DeviceName, DevicePlan, MeshPlan, Observation } from '../mesh/types.ts';
import type { DesiredState, Report } from './dataplane.ts';
import type { Outcome } from './failure.ts';
import type { Link } from './netlink/types.ts';

export type Implementation = 'kernel' | 'userspace';

export interface TunnelDriver {
  /** Who carries the packets of this link; undefined: the link is not of this driver's kind. @param of several drivers, which one is asked */
  implementation(link: Link, driver?: DevicePlan['driver']): Implementation | undefined;
  /** Makes the link, bare: alias, MTU and addresses are the caller's. @throws DataplaneFailure */
  create(device: DevicePlan): Promise<void>;
  /** Takes in what is wanted of one device; reads what it has, when that is not known. */
  refresh(request: DeviceRequest): Promise<void>;
  /** Key, port and mark of the device; then peers added and changed, and nothing taken from any. */
  configure(request: DeviceRequest, outcome: Outcome): Promise<void>;
  /** Peers and parts of peers that are not wanted any more. */
  prune(device: DeviceName, outcome: Outcome): Promise<void>;
  /** Reads what the device has: for the caller, and unless it only looks, to see what another hand changed. */
  observe(device: DeviceName, request: ObserveRequest): Promise<readonly Observation[]>;
  /** Whether something was found that is not as wanted. */
  disturbed(device: DeviceName): boolean;
  /** Before the device goes: takes back what the driver has elsewhere than on it. Absent: nothing. */
  release?(device: DeviceName, generation: number): Promise<void>;
  /** After all else: takes back what devices left that went without `release`, removed by hand while nobody looked. Absent: nothing. */
  sweep?(): Promise<void>;
  /** What it tells of itself beyond its devices; nothing while it has none. Absent: nothing. */
  report?(): Promise<Pick<Report, 'ipsec'>>;
  /** The device is gone, or another. */
  forget(device: DeviceName): void;
  close(): void;
}

export interface ObserveRequest {
  readonly generation: number;
  readonly look: boolean;
}

export interface DeviceRequest {
  readonly device: DevicePlan;
  readonly implementation: Implementation;
  readonly plan: MeshPlan;
  readonly desired: DesiredState;
}

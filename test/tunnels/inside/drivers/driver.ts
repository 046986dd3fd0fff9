/** A tunnel driver under test: its states, and its slow, obvious twin, in words. */
import type { DeviceName } from '../../../../mesh/types.ts';
import type { DesiredState } from '../../../../tunnels/dataplane.ts';
import type { DataplaneOptions } from '../../../../tunnels/ports.ts';
import type { MeshShape } from '../../states.ts';

export interface DriverUnderTest {
  readonly name: 'wireguard' | 'ipsec';
  readonly title: string;
  readonly implementation: 'kernel' | 'userspace';
  /** Of the device, on an underlay of 1500 and of 9000 bytes. */
  readonly mtu: { readonly 1500: number; readonly 9000: number };
  readonly options: Partial<DataplaneOptions>;
  desired(shape: MeshShape, more?: Partial<DesiredState>): DesiredState;
  /** What is wanted of devices and peers, but for addresses and routes; and what there is of one device. */
  expected(state: DesiredState): string[];
  actual(device: DeviceName): Promise<string[]>;
  /** Nodes that a device has as peers. */
  peers(device: DeviceName): Promise<number>;
  /** Another hand on sheath1 with generation 7: takes a peer, and a prefix of another; where it can, adds a stranger. */
  meddle(): Promise<void>;
  /** So many changes repair that. */
  readonly repairs: number;
}

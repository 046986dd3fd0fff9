/** What the kernel shows of each driver's links, for suites that are the same for both. Where a peer is meant, the device is `sheath1`. */

import type { FaultKind } from '../rotation/schedule.ts';
import type { Crowd, KeyPair } from './crowd.ts';
import type { Held } from './held.ts';
import type { Mesh } from './mesh.ts';

export interface View {
  readonly encryption: 'wireguard' | 'ipsec';
  /** Whether who was seen with its clock ahead is refused with it behind. */
  readonly handshakesTellTime: boolean;
  /** What can go wrong during a rotation. */
  readonly faults: readonly FaultKind[];
  /** The MTU that it leaves of an underlay with 1500 bytes, over IPv6. */
  readonly mtu: number;
  /** The key that a node's peers know it by. */
  publicKey(mesh: Mesh, node: string): Promise<string>;
  /** Its private key as text, in each way that it could be written. */
  privateKeys(mesh: Mesh, node: string): Promise<readonly string[]>;
  /** How many peers the device has, 0 where there is none. */
  peers(mesh: Mesh, node: string): Promise<number>;
  /** What is another when a session was made anew. */
  sessions(mesh: Mesh, node: string): Promise<string>;
  /** That n1 has n2 and n3 as peers, who may send what their records say. */
  assertPeers(mesh: Mesh): Promise<void>;
  /** All that it has of the peers on a node. */
  held(mesh: Mesh, node: string): Promise<Held>;
  /** For a node without an agent, which answers all the same. */
  keys(): KeyPair;
  /** The result ends it. */
  answer(crowd: Crowd): Promise<() => Promise<void>>;
}

/** Addresses of the other nodes, as elements of the nftables sets `nodes4` and `nodes6`. */
import type { MeshPlan, PeerPlan } from '../../mesh/types.ts';
import { changedItems } from '../delta.ts';
import { familyOf } from '../netlink/ip.ts';
import { setName } from './ruleset.ts';

/** Follows the plan's peers: what one of them changes is found without looking at all the others. */
export class NodeAddresses {
  /** How many peers have each: two may, for as long as it takes to decide between them. */
  readonly #counts = new Map<string, number>();
  #peers: readonly PeerPlan[] = [];

  follow(peers: MeshPlan['peers']): void {
    const { gone, come } = changedItems(this.#peers, peers);
    this.#peers = peers;
    for (const peer of come) for (const address of peer.addresses) this.#count(address, 1);
    for (const peer of gone) for (const address of peer.addresses) this.#count(address, -1);
    for (const peer of [...come, ...gone]) for (const address of peer.addresses) this.#touched.add(address);
  }

  /** What may differ from the kernel since the last time all was written. */
  readonly #touched = new Set<string>();

  has(address: string): boolean {
    return this.#counts.has(address);
  }

  touched(): readonly string[] {
    return [...this.#touched];
  }

  /** The kernel has what is wanted. */
  settled(): void {
    this.#touched.clear();
  }

  /** All of them, by set. */
  elements(): Map<string, Set<string>> {
    const sets = new Map([4, 6].map((family) => [setName('nodes', family === 4 ? 4 : 6), new Set<string>()]));
    for (const address of this.#counts.keys()) sets.get(setName('nodes', familyOf(address)))?.add(address);
    return sets;
  }

  #count(address: string, by: number): void {
    const count = (this.#counts.get(address) ?? 0) + by;
    if (count === 0) this.#counts.delete(address);
    else this.#counts.set(address, count);
  }
}

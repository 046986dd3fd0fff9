/** Since when nothing came in on a generation that is to go: from the kernel's counters, as often as they are read. */
import type { Silence } from '../../mesh/lifecycle-types.ts';
import type { MeshPlan, Observation } from '../../mesh/types.ts';

export class Silences {
  /** By generation and public key. */
  #received: ReadonlyMap<string, number> = new Map();
  #silences: ReadonlyMap<number, Silence> = new Map();

  /** By generation; only of those that nothing is sent on any more. */
  get list(): ReadonlyMap<number, Silence> {
    return this.#silences;
  }

  /** @param at when it was read, in milliseconds since the epoch */
  saw(plan: MeshPlan, observations: readonly Observation[], at: number): void {
    const going = plan.devices.filter(({ receiveOnly }) => receiveOnly).map(({ generation }) => generation);
    if (going.length === 0 && this.#silences.size === 0) return;
    const { received, moved } = this.#count(going, observations);
    this.#received = received;
    this.#silences = new Map(
      going.map((generation) => {
        const known = this.#silences.get(generation);
        // Time that ran backwards begins the span anew.
        const goesOn = known !== undefined && known.until <= at && !moved.has(generation);
        return [generation, { since: goesOn ? known.since : at, until: at }];
      }),
    );
  }

  /** Whether a counter says anything but what it said before, or says so for the first time. */
  #count(
    going: readonly number[],
    observations: readonly Observation[],
  ): { readonly received: ReadonlyMap<string, number>; readonly moved: ReadonlySet<number> } {
    const received = new Map<string, number>();
    const moved = new Set<number>();
    for (const { generation, publicKey, receivedBytes } of observations) {
      if (!going.includes(generation)) continue;
      const name = `${generation} ${publicKey}`;
      received.set(name, receivedBytes);
      if (receivedBytes !== (this.#received.get(name) ?? 0)) moved.add(generation);
    }
    return { received, moved };
  }
}

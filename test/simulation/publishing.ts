/** Publishes one time after the other, and again after a failure, as the agent's API side does. */
import type { Mesher } from '../../operator/agent/mesher.ts';
import type { Publisher } from '../../operator/agent/publisher.ts';
import type { NodeRecords } from '../../operator/records/nodes.ts';
import type { Machine } from './machine.ts';

export interface PublishingParts {
  readonly machine: Machine;
  readonly mesher: Mesher;
  readonly records: NodeRecords;
  readonly publisher: Publisher;
  readonly alive: () => boolean;
  readonly turnDue: () => void;
}

export class Publishing {
  readonly #parts: PublishingParts;
  #busy = false;
  #again = false;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
  }

  async go(): Promise<void> {
    this.#again = this.#busy;
    if (this.#busy) return;
    this.#busy = true;
    const wait = await this.#once();
    this.#busy = false;
    const { machine, alive } = this.#parts;
    if (this.#again) void this.go();
    else if (wait !== undefined) machine.time.after(wait, () => alive() && void this.go());
  }

  async #once(): Promise<number | undefined> {
    const { machine, mesher, records, publisher, turnDue } = this.#parts;
    const { wanted, withdrawing } = mesher;
    if (wanted === undefined || records.status().source !== 'api') return undefined;
    const nodes = records.records();
    const keyed = nodes.filter(({ generations }) => generations.length > 0).length;
    const before = publisher.seen(records.own());
    try {
      const wait = await publisher.publish(wanted, records.own(), { nodes: nodes.length, keyed });
      if (wait === undefined && withdrawing && publisher.seen(records.own()) !== before) turnDue();
      return wait;
    } catch {
      return 500 + machine.random() * 500;
    }
  }
}

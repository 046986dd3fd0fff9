/** Takes the steps that `lifecycle` says, each on disk before anything is done: keys, the stance, and whom it waits for. */
import type { Driver, Keyring } from '../../keys/keyring.ts';
import { lifecycle } from '../../mesh/lifecycle.ts';
import type { Lifecycle, LifecycleProblem, Silence, Waiting } from '../../mesh/lifecycle-types.ts';
import { parseRecord } from '../../mesh/record.ts';
import {
  adopt,
  change,
  deviceOf,
  doorOf,
  IN_CLEAR,
  type Stance,
  type Target,
  without,
} from '../../mesh/stance.ts';
import type { MeshConfig, NodeRecord } from '../../mesh/types.ts';
import type { Report } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';
import type { RecordsSource } from '../records/source.ts';
import type { KernelLoop } from './kernel-loop.ts';
import type { Publisher } from './publisher.ts';

export interface StanceKeeperOptions {
  readonly config: () => MeshConfig;
  /** What this node is unable to do. Default: nothing. */
  readonly cannot?: () => readonly string[];
  /** `Target.wish` */
  readonly wish?: () => number | undefined;
  readonly records: RecordsSource;
  readonly keyring: Keyring;
  readonly kernel: KernelLoop;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly kept: Stance | undefined;
  /** Puts it on disk. @throws the error of node:fs */
  readonly keep: (stance: Stance) => Promise<void>;
}

export interface Step {
  readonly stance: Stance;
  /** All traffic is to leave the tunnels. */
  readonly unroute: boolean;
  /** When to come back at the latest; milliseconds since the epoch. */
  readonly nextAt: number | undefined;
}

export class StanceKeeper {
  readonly #options: StanceKeeperOptions;
  /** Undefined until the first step. */
  stance: Stance | undefined;
  waiting: readonly Waiting[] = [];
  problems: readonly LifecycleProblem[] = [];
  #possible: ReadonlyMap<string, number> = new Map();
  #leaving: ReadonlySet<number> = new Set();
  #unrouted = false;
  /** What a former agent left is adopted once. */
  #adopted = false;

  constructor(options: StanceKeeperOptions) {
    this.#options = options;
  }

  /** One step at most. @throws KeyringError, and when it cannot be kept */
  async step(self: string): Promise<Step> {
    const { records } = this.#options;
    if (!this.#adopted) this.#begin(self);
    if (this.stance !== undefined && records.status().source !== 'api') return this.#fromDisk(this.stance);
    await this.#lookAtSilence();
    const said = this.#ask(self);
    this.#possible = said.possible;
    this.waiting = said.waiting;
    this.problems = said.problems;
    await this.#take(said.stance);
    return { stance: said.stance, unroute: said.unroute, nextAt: said.nextAt };
  }

  /** What the kernel made of it: gone is what waits no more. */
  turned({ errors, pending }: Report, unrouted: boolean): void {
    const failed = (part: string) => errors.some((error) => error.part === part);
    this.#unrouted = unrouted && !failed('route') && !failed('rule');
    if (unrouted) return;
    // What is wrong with a device that stays keeps none from going.
    const staying = (this.stance?.held ?? []).map(({ number }) => deviceOf(number));
    const stuck = errors.some(
      ({ part, device }) => part === 'device' && (device === undefined || !staying.includes(device)),
    );
    if (pending.length > 0) {
      if (this.#leaving.size === 0) this.#leaving = new Set([IN_CLEAR]);
    } else if (!stuck) this.#leaving = new Set();
  }

  /** Whether there is another step to take at once. */
  isDue(self: string, last: Step): boolean {
    if (this.#options.records.status().source !== 'api') return false;
    const said = this.#ask(self);
    return said.stance !== this.stance || said.unroute !== last.unroute;
  }

  #ask(self: string): Lifecycle {
    const { records, kernel, clock } = this.#options;
    return lifecycle({
      self,
      stance: this.stance,
      target: this.#target(),
      records: records.records(),
      statuses: kernel.statuses,
      silence: kernel.silences,
      leaving: this.#leaving,
      unrouted: this.#unrouted,
      published: (this.#ownRecord()?.generations.length ?? 0) > 0,
      possible: this.#possible,
      now: clock.now(),
    });
  }

  #target(): Target {
    const { config, cannot = () => [], wish: wishOf } = this.#options;
    const wish = wishOf?.();
    const { encryption, mode, generation, wireguard, rotation } = config();
    return {
      ...{ encryption, mode, generation, port: wireguard.port, ...rotation, cannot: cannot() },
      ...(wish === undefined ? {} : { wish }),
    };
  }

  /** Keys that are new are on disk before the stance that needs them, and those that are old as long as one needs them. */
  async #take(stance: Stance): Promise<void> {
    const { keyring, keep } = this.#options;
    for (const { number, driver } of stance.held) keyring.ensure(number, driver);
    if (stance !== this.stance) await keep(stance);
    const isHeld = (one: { number: number; driver: Driver }) =>
      stance.held.some(({ number, driver }) => number === one.number && driver === one.driver);
    const dropped = (this.stance?.held ?? []).filter((one) => !isHeld(one));
    if (dropped.length > 0)
      this.#leaving = new Set([...this.#leaving, ...dropped.map(({ number }) => number)]);
    this.stance = stance;
    for (const { generation: number, driver } of keyring.list())
      if (!isHeld({ number, driver })) keyring.remove(number, driver);
  }

  #begin(self: string): void {
    this.#adopted = true;
    this.stance = this.#adopt(self);
    // Switched off by a former agent: whether its devices are gone, the first turn tells.
    if (this.stance?.held.length === 0) this.#leaving = new Set([IN_CLEAR]);
  }

  #adopt(self: string): Stance | undefined {
    const { kept, keyring, records } = this.#options;
    const own = this.#ownRecord() ?? records.records().find(({ name }) => name === self);
    return adopt({ stance: kept, own, keys: keyring.list() });
  }

  /** What the disk says is too old to begin or end anything on; but a door that shall be shut is shut. */
  async #fromDisk(stance: Stance): Promise<Step> {
    const strict = doorOf(this.#target()) === 'strict';
    const next = strict
      ? change(stance, { mode: 'strict', clear: new Set(), sending: without(stance.sending, IN_CLEAR) })
      : stance;
    await this.#take(next);
    return { stance: next, unroute: false, nextAt: undefined };
  }

  /** Our own Node to our best knowledge. */
  #ownRecord(): NodeRecord | undefined {
    const { publisher, records } = this.#options;
    const seen = publisher.seen(records.own());
    return seen === undefined ? undefined : parseRecord(seen);
  }

  /** A silence that would be long enough is one only when nothing came up to now. */
  async #lookAtSilence(): Promise<void> {
    const { kernel, clock, config } = this.#options;
    const { drain } = config().rotation;
    const due = ({ since, until }: Silence) => clock.now() - since >= drain && until - since < drain;
    if ([...kernel.silences.values()].some(due)) await kernel.look();
  }
}

/**
 * Keeps the kernel equal to what is known: stance, own Node, keys, records -> plan -> a turn of the kernel loop; and says what our
 * annotations are to be. Level-triggered: a turn reads everything it needs, whatever woke it.
 */

import type { Generation } from '../../keys/generation.ts';
import type { Keyring, KeyringEntry } from '../../keys/keyring.ts';
import type { LifecycleProblem, Waiting } from '../../mesh/lifecycle-types.ts';
import type { HeldGeneration, Stance } from '../../mesh/stance.ts';
import { doorOf } from '../../mesh/stance.ts';
import type { Evidence, MeshConfig, MeshPlan, NodeRecord } from '../../mesh/types.ts';
import type { Report } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';
import type { OwnNode } from '../records/disk.ts';
import type { RecordsSource } from '../records/source.ts';
import { Announcement } from './announcement.ts';
import { ClockGuard, type ClockGuardOptions } from './clock-guard.ts';
import type { KernelLoop } from './kernel-loop.ts';
import type { Live } from './live.ts';
import { ownRecord } from './own-node.ts';
import { Planner, type PlannerOptions } from './planner.ts';
import { StanceKeeper, type StanceKeeperOptions } from './stance-keeper.ts';

export interface MesherOptions
  extends Omit<PlannerOptions, 'evidence'>,
    Pick<StanceKeeperOptions, 'publisher' | 'keep'>,
    Pick<ClockGuardOptions, 'observe' | 'onClockBehind'> {
  readonly live: Live;
  readonly records: RecordsSource;
  readonly keyring: Keyring;
  readonly kernel: KernelLoop;
  readonly clock: Clock;
  /** From the disk. */
  readonly kept: { readonly own: OwnNode; readonly evidence: Evidence; readonly at: number } | undefined;
  readonly keptStance: Stance | undefined;
}

export interface TurnOutcome {
  readonly report: Report;
  /** When the next turn is due at the latest; milliseconds since the epoch. */
  readonly nextAt: number | undefined;
}

/** A generation that this node holds, with its key. */
export interface OwnGeneration extends HeldGeneration {
  readonly key: KeyringEntry;
}

/** A door, and nothing else. */
const SHUT: Stance = { held: [], sending: [], clear: new Set(), mode: 'strict' };

export class Mesher {
  readonly #options: MesherOptions;
  own: OwnNode | undefined;
  readonly #planner: Planner;
  readonly #keeper: StanceKeeper;
  readonly #clockGuard: ClockGuard;
  readonly #announcement = new Announcement();
  #leaving = false;
  #made:
    | { readonly config: MeshConfig; readonly self: NodeRecord; readonly of: readonly unknown[] }
    | undefined;

  constructor(options: MesherOptions) {
    const { kept, keptStance, live } = options;
    this.#options = options;
    this.own = kept?.own;
    this.#planner = new Planner({ ...options, evidence: kept?.evidence });
    this.#keeper = new StanceKeeper({
      ...options,
      config: () => live().config.mesh,
      cannot: () => live().facts.cannot,
      wish: () => live().facts.observedGeneration,
      kept: keptStance,
    });
    this.#clockGuard = new ClockGuard({ ...options, keptAt: kept?.at ?? 0 });
  }

  /** What our Node is to carry; undefined: leave it as it is. */
  get wanted(): Readonly<Record<string, string>> | undefined {
    return this.#announcement.wanted;
  }

  get plan(): MeshPlan | undefined {
    return this.#planner.plan;
  }

  get evidence(): Evidence {
    return this.#planner.evidence;
  }

  get reserved(): Planner['reserved'] {
    return this.#planner.reserved;
  }

  /** Undefined until the first turn. */
  get stance(): Stance | undefined {
    return this.#keeper.stance;
  }

  /** Whom the next step waits for. */
  get waiting(): readonly Waiting[] {
    return this.#keeper.waiting;
  }

  /** Why this node does not do what is wished of it. */
  get problems(): readonly LifecycleProblem[] {
    return this.#keeper.problems;
  }

  /** Our generations, oldest first. */
  get generations(): readonly OwnGeneration[] {
    const { keyring } = this.#options;
    return (this.stance?.held ?? []).flatMap((held) => {
      const key = keyring.get(held.number, held.driver);
      return key === undefined ? [] : [{ ...held, key }];
    });
  }

  get sending(): readonly number[] {
    return this.stance?.sending ?? [];
  }

  /** Encryption was switched off, and not all of it is gone yet. */
  get withdrawing(): boolean {
    const off = this.#options.live().config.mesh.encryption === 'none';
    return off && (this.#leaving || (this.stance?.held.length ?? 0) > 0);
  }

  /** Undefined: our own Node is not known yet. @throws KeyringError, and what the data plane throws */
  async turn(): Promise<TurnOutcome | undefined> {
    const { own } = this;
    if (own === undefined) return undefined;
    const { kernel, clock, live } = this.#options;
    await this.#clockGuard.check();
    const step = await this.#keeper.step(own.name);
    const plan = await this.#planner.settled(this.#basis(own, step.stance));
    const { report, nextAt } = step.unroute
      ? { report: await kernel.unroute(plan), nextAt: undefined }
      : await kernel.turn(plan);
    this.#planner.judgeTrials(plan);
    this.#keeper.turned(report, step.unroute);
    this.#leaving = report.pending.length > 0;
    const { facts, publishFacts } = live();
    const self = this.#selfRecord(own, step.stance);
    this.#announcement.make({ self, stance: step.stance, report, facts, publishFacts });
    const again = this.#keeper.isDue(own.name, step) ? clock.now() : undefined;
    const times = [nextAt, step.nextAt, again].filter((at) => at !== undefined);
    return { report, nextAt: times.length === 0 ? undefined : Math.min(...times) };
  }

  /**
   * What shuts the door before the API server is asked, with what the disk holds; undefined when it is not to be shut, or our own
   * prefixes are not known: nothing but a first boot.
   */
  get firstDoor(): MeshPlan | undefined {
    const { live, keptStance } = this.#options;
    const { config, basis } = live();
    const { own } = this;
    const strict = basis === 'nothing' ? keptStance?.mode === 'strict' : doorOf(config.mesh) === 'strict';
    if (!strict || own === undefined) return undefined;
    return this.#planner.alone(this.#basis(own, { ...(keptStance ?? SHUT), mode: 'strict' }));
  }

  /** The same objects as before while nothing that they are made of changed. */
  #basis(own: OwnNode, stance: Stance): { readonly config: MeshConfig; readonly self: NodeRecord } {
    const { mesh } = this.#options.live().config;
    const keys = stance.held.map(({ number, driver }) => this.#options.keyring.get(number, driver));
    const inputs = [mesh, own, stance.held, stance.sending.join(), stance.mode, ...keys];
    const made = this.#made;
    if (made?.of.length === inputs.length && inputs.every((input, at) => input === made.of[at])) return made;
    const driver = stance.held.at(-1)?.driver;
    const config = { ...mesh, encryption: driver ?? ('none' as const), mode: stance.mode };
    this.#made = { config, self: this.#selfRecord(own, stance), of: inputs };
    return this.#made;
  }

  #selfRecord(own: OwnNode, { held, sending, mode }: Stance): NodeRecord {
    const { keyring, live } = this.#options;
    const generations = held.flatMap(({ number, driver, port }): Generation[] => {
      const publicKey = keyring.get(number, driver)?.publicKey;
      if (publicKey === undefined) return [];
      return [driver === 'wireguard' ? { number, driver, publicKey, port } : { number, driver, publicKey }];
    });
    return ownRecord({ own, generations, sending, facts: { ...live().facts, mode } });
  }
}

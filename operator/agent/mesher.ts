/**
 * Keeps the kernel equal to what is known: own Node, keys, records -> plan -> a turn of the kernel loop; and says what our
 * annotations are to be. Level-triggered: a turn reads everything it needs, whatever woke it.
 */

import type { PublicKey } from '../../keys/generation.ts';
import type { Keyring, KeyringEntry } from '../../keys/keyring.ts';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { plan as planMesh } from '../../mesh/plan.ts';
import { formatAnnotations } from '../../mesh/record.ts';
import type { Address, Evidence, MeshConfig, MeshPlan, NodeRecord } from '../../mesh/types.ts';
import type { Report } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { ReachedAddresses } from '../kube/reached.ts';
import type { OwnNode } from '../records/disk.ts';
import type { RecordsSource } from '../records/source.ts';
import { ClaimsRead, EvidencePace, forgetGone, readEvidence, withStanding } from './evidence.ts';
import type { KernelLoop } from './kernel-loop.ts';
import type { Live } from './live.ts';
import { ownRecord } from './own-node.ts';
import type { Publisher } from './publisher.ts';
import { type Clear, clearAtStart, sending, stillInClear } from './sending.ts';
import { judgeTrials, keepProved, type Trial } from './trials.ts';

export interface MesherOptions {
  readonly live: Live;
  readonly client: KubeClient;
  readonly reached: ReachedAddresses;
  readonly records: RecordsSource;
  readonly keyring: Keyring;
  readonly kernel: KernelLoop;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly observe: () => Promise<readonly unknown[]>;
  /** From the disk. */
  readonly kept:
    | { readonly own: OwnNode; readonly evidence: Evidence; readonly clear?: Clear; readonly at: number }
    | undefined;
  readonly onClockBehind: (behind: number, generation: number) => void;
}

export interface TurnOutcome {
  readonly report: Report;
  /** When the next turn is due at the latest; milliseconds since the epoch. */
  readonly nextAt: number | undefined;
}

export class Mesher {
  readonly #options: MesherOptions;
  own: OwnNode | undefined;
  evidence: Evidence;
  /** Where the API server was reached by the last turn. */
  reserved: readonly Address[];
  /** Towards whom we may still send in clear; undefined until the first turn. */
  clear: Clear | undefined;
  /** What our Node is to carry; undefined: leave it as it is. */
  wanted: Readonly<Record<string, string>> | undefined;
  plan: MeshPlan | undefined;
  withdrawing = false;
  #trials: ReadonlyMap<PublicKey, Trial> = new Map();
  readonly #claimsRead = new ClaimsRead();
  readonly #evidencePace = new EvidencePace();
  #clockGuarded = false;
  #made: { readonly plan: MeshPlan; readonly of: readonly unknown[] } | undefined;

  constructor(options: MesherOptions) {
    this.#options = options;
    this.own = options.kept?.own;
    this.evidence = options.kept?.evidence ?? { nodes: new Map(), keyHolders: new Map() };
    this.reserved = options.reached.list();
  }

  /** Our generations, oldest first. */
  get keys(): readonly KeyringEntry[] {
    const { keyring } = this.#options;
    const entry = keyring.get(this.#config.generation) ?? keyring.list().at(-1);
    return entry === undefined ? [] : [entry];
  }

  get #config(): MeshConfig {
    return this.#options.live().config.mesh;
  }

  get sending(): readonly number[] {
    return sending(
      this.keys.map((key) => key.generation),
      this.clear,
    );
  }

  /** Undefined: our own Node is not known yet. @throws KeyringError, and what the data plane throws */
  async turn(): Promise<TurnOutcome | undefined> {
    const { own } = this;
    if (own === undefined) return undefined;
    this.reserved = this.#options.reached.list();
    return this.#config.encryption === 'none' ? this.#withdraw(own) : this.#mesh(own);
  }

  async #mesh(own: OwnNode): Promise<TurnOutcome> {
    const config = this.#config;
    const { keyring, kernel, records, publisher } = this.#options;
    await this.#guardClock();
    const key = keyring.ensure(config.generation, 'wireguard');
    this.clear ??= clearAtStart({
      kept: this.#options.kept?.clear,
      seen: publisher.seen(records.own()),
      key,
      records: records.records(),
      self: own.name,
    });
    const plan = await this.#settledPlan(own);
    const { report, nextAt } = await kernel.turn(plan);
    this.#judgeTrials(plan);
    this.clear = stillInClear(this.clear, records.records(), kernel.statuses);
    // Others may only hear of a key when the device behind it answers.
    const ready =
      report.devices.some((device) => device.generation === key.generation) &&
      !report.errors.some(
        (error) => error.part === 'device' || (error.part === 'peer' && error.node === undefined),
      );
    if (ready) this.wanted = formatAnnotations(this.#selfRecord(own));
    return { report, nextAt };
  }

  /**
   * Traffic leaves the tunnels first. Devices and peers stay until nobody can learn our keys any more, for whoever still sends
   * to them must be heard; the data plane then waits for silence.
   */
  async #withdraw(own: OwnNode): Promise<TurnOutcome> {
    const config = this.#config;
    const { kernel, records, publisher } = this.#options;
    const seen = publisher.seen(records.own());
    const [key] = this.keys;
    const published = seen?.annotations[ANNOTATIONS.generations] !== undefined;
    if (published && key !== undefined) {
      this.withdrawing = true;
      const encrypted = { ...config, encryption: 'wireguard' as const, generation: key.generation };
      this.plan = planMesh({
        self: this.#selfRecord(own),
        records: records.records(),
        config: encrypted,
        evidence: this.evidence,
        reserved: this.reserved,
      });
      const report = await kernel.unroute(this.plan);
      // Whoever learns that our key is gone drops our packets: none may be on its way any more.
      if (!report.errors.some(({ part }) => part === 'route' || part === 'rule')) this.wanted = {};
      return { report, nextAt: undefined };
    }
    this.plan = planMesh({ self: this.#selfRecord(own), records: [], config, evidence: this.evidence });
    const { report } = await kernel.turn(this.plan);
    this.wanted = {};
    this.withdrawing = report.pending.length > 0;
    return { report, nextAt: undefined };
  }

  async #settledPlan(own: OwnNode): Promise<MeshPlan> {
    const { records, clock, kernel } = this.#options;
    this.evidence = forgetGone(this.evidence, records.records());
    let plan = this.#planned(own);
    // Until it is read anew, what was known decides: who is in force stays.
    const unsure = [...plan.contested, ...this.#claimsRead.outdated(this.evidence, records.records())];
    const due = records.status().connected ? this.#evidencePace.take(unsure, clock.now()) : [];
    if (due.length > 0) {
      plan = await this.#askAbout(due, own);
      // What is vouched for may depend on others' word in turn.
      const more = this.#evidencePace.take(plan.contested, clock.now());
      if (more.length > 0) plan = await this.#askAbout(more, own);
    }
    const holders = keepProved({ plan, statuses: kernel.statuses, holders: this.evidence.keyHolders });
    if (holders !== this.evidence.keyHolders) {
      this.evidence = { ...this.evidence, keyHolders: holders };
      plan = this.#planned(own);
    }
    this.plan = plan;
    return plan;
  }

  async #askAbout(names: readonly string[], own: OwnNode): Promise<MeshPlan> {
    const { client, records } = this.#options;
    const [before, claimants] = [this.evidence, records.records()];
    this.evidence = await readEvidence(client, names, before);
    this.#claimsRead.read(before, this.evidence, claimants);
    return this.#planned(own);
  }

  /** The same object as before when nothing that it is made of changed. */
  #planned(own: OwnNode): MeshPlan {
    const { records } = this.#options;
    const config = this.#config;
    const inputs = [config, records.records(), own, this.evidence, this.reserved, ...this.keys];
    const made = this.#made;
    if (made?.of.length === inputs.length && inputs.every((input, at) => input === made.of[at]))
      return made.plan;
    const input = {
      self: this.#selfRecord(own),
      records: records.records(),
      config,
      reserved: this.reserved,
    };
    const asked = planMesh({ ...input, evidence: this.evidence });
    const { contested } = asked;
    const evidence = this.plan ? withStanding(this.evidence, contested, this.plan) : this.evidence;
    const plan = evidence === this.evidence ? asked : { ...planMesh({ ...input, evidence }), contested };
    this.#made = { plan, of: inputs };
    return plan;
  }

  #selfRecord(own: OwnNode): NodeRecord {
    const { config, facts } = this.#options.live();
    const { mesh } = config;
    return ownRecord({
      own,
      config: mesh,
      facts: { ...facts, mode: mesh.mode },
      keys: this.keys,
      sending: this.sending,
    });
  }

  #judgeTrials(plan: MeshPlan): void {
    const { kernel, clock } = this.#options;
    const holders = this.evidence.keyHolders;
    const outcome = judgeTrials({
      plan,
      holders,
      statuses: kernel.statuses,
      trials: this.#trials,
      now: clock.now(),
    });
    this.#trials = outcome.trials;
    if (outcome.holders !== holders) this.evidence = { ...this.evidence, keyHolders: outcome.holders };
  }

  /**
   * WireGuard peers refuse handshakes older than the last one they saw. After a reboot with the clock behind, only a fresh key
   * gets us in again; while the device lives, the kernel's own sessions are worth more.
   */
  async #guardClock(): Promise<void> {
    if (this.#clockGuarded) return;
    const { keyring, clock, kept, observe, onClockBehind } = this.#options;
    const { generation } = this.#config;
    const newest = Math.max(keyring.newestTimeOnDisk(), kept?.at ?? 0);
    if (clock.now() < newest && keyring.get(generation) !== undefined && (await observe()).length === 0) {
      keyring.renew(generation);
      onClockBehind(newest - clock.now(), generation);
    }
    this.#clockGuarded = true;
  }
}

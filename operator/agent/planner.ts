/** Records, keys and what the API server vouches for, to a plan: the same object as before when nothing that it is made of changed. */
import type { PublicKey } from '../../keys/generation.ts';
import { plan as planMesh } from '../../mesh/plan.ts';
import type { Address, Evidence, MeshConfig, MeshPlan, NodeRecord } from '../../mesh/types.ts';
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { ReachedAddresses } from '../kube/reached.ts';
import type { RecordsSource } from '../records/source.ts';
import { type Answers, answersBy, answersFound, claimsEndpoints, keepAnswering } from './answering.ts';
import {
  ClaimsRead,
  contenders,
  EvidencePace,
  forgetGone,
  NO_EVIDENCE,
  PODS_PACE,
  readEvidence,
  withStanding,
} from './evidence.ts';
import type { KernelLoop } from './kernel-loop.ts';
import { judgeTrials, keepProved, type Trial } from './trials.ts';

export interface PlannerOptions {
  readonly client: KubeClient;
  readonly reached: ReachedAddresses;
  readonly records: RecordsSource;
  readonly kernel: KernelLoop;
  readonly clock: Clock;
  /** From the disk. */
  readonly evidence: Evidence | undefined;
}

/** This node as it is to be planned for: each the same object while nothing of it changed. */
export interface Basis {
  readonly self: NodeRecord;
  readonly config: MeshConfig;
}

export class Planner {
  readonly #options: PlannerOptions;
  evidence: Evidence;
  /** Where the API server was reached by the last plan. */
  reserved: readonly Address[];
  plan: MeshPlan | undefined;
  #trials: ReadonlyMap<PublicKey, Trial> = new Map();
  readonly #claimsRead = new ClaimsRead();
  readonly #evidencePace = new EvidencePace();
  readonly #podsPace = new EvidencePace(PODS_PACE);
  #source: MeshConfig['prefixSource'] | undefined;
  #made: { readonly plan: MeshPlan; readonly of: readonly unknown[] } | undefined;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.evidence = options.evidence ?? NO_EVIDENCE;
    this.reserved = options.reached.list();
  }

  async settled(basis: Basis): Promise<MeshPlan> {
    const { records, clock, reached } = this.#options;
    this.reserved = reached.list();
    this.evidence = forgetGone(this.evidence, records.records());
    this.#forSource(basis.config.prefixSource);
    let plan = this.#planned(basis);
    // Until it is read anew, what was known decides: who is in force stays.
    const unsure = [...plan.contested, ...this.#claimsRead.outdated(this.evidence, records.records())];
    const { connected } = records.status();
    const due = connected ? this.#evidencePace.take(unsure, clock.now()) : [];
    if (connected && basis.config.prefixSource === 'pods')
      due.push(...this.#podsPace.take(contenders(plan), clock.now()).filter((name) => !due.includes(name)));
    if (due.length > 0) {
      plan = await this.#askAbout(due, basis);
      // What is vouched for may depend on others' word in turn.
      const more = this.#evidencePace.take(plan.contested, clock.now());
      if (more.length > 0) plan = await this.#askAbout(more, basis);
    }
    if (await this.#keepHolders(plan)) plan = this.#planned(basis);
    this.plan = plan;
    return plan;
  }

  /** True when somebody proved to be what this plan gives to another. */
  async #keepHolders(plan: MeshPlan): Promise<boolean> {
    const { statuses } = this.#options.kernel;
    const before = this.evidence;
    const keyHolders = keepProved({ plan, statuses, holders: before.keyHolders });
    const endpointHolders = keepAnswering({
      plan,
      inForce: this.plan,
      answers: await this.#answers(plan),
      holders: before.endpointHolders,
    });
    if (keyHolders === before.keyHolders && endpointHolders === before.endpointHolders) return false;
    this.evidence = { ...before, keyHolders, endpointHolders };
    return true;
  }

  /** Before the first turn nothing has a status: what a former agent left speaks for who answered to it. */
  async #answers(plan: MeshPlan): Promise<Answers> {
    const { kernel, records } = this.#options;
    if (this.plan !== undefined || !claimsEndpoints(plan)) return answersBy(kernel.statuses);
    return answersFound(await kernel.found(), records.records());
  }

  /** What one source vouches for is nothing to another. */
  #forSource(source: MeshConfig['prefixSource']): void {
    if (this.#source !== undefined && this.#source !== source && this.evidence.nodes.size > 0)
      this.evidence = { ...this.evidence, nodes: new Map() };
    this.#source = source;
  }

  /** With nobody else in it. */
  alone({ self, config }: Basis): MeshPlan {
    return planMesh({ self, config, records: [], evidence: this.evidence });
  }

  /** After the kernel's turn: who answers with a key that several publish. */
  judgeTrials(plan: MeshPlan): void {
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

  async #askAbout(names: readonly string[], basis: Basis): Promise<MeshPlan> {
    const { client, records } = this.#options;
    const [before, claimants] = [this.evidence, records.records()];
    const source = basis.config.prefixSource;
    this.evidence = await readEvidence(client, { names, evidence: before, source });
    this.#claimsRead.read(before, this.evidence, claimants);
    return this.#planned(basis);
  }

  #planned({ self, config }: Basis): MeshPlan {
    const { records } = this.#options;
    const inputs = [config, records.records(), self, this.evidence, this.reserved];
    const made = this.#made;
    if (made?.of.every((input, at) => input === inputs[at]) === true) return made.plan;
    const input = { self, records: records.records(), config, reserved: this.reserved };
    const asked = planMesh({ ...input, evidence: this.evidence });
    const { contested } = asked;
    const evidence = this.plan ? withStanding(this.evidence, contested, this.plan) : this.evidence;
    const plan = evidence === this.evidence ? asked : { ...planMesh({ ...input, evidence }), contested };
    this.#made = { plan, of: inputs };
    return plan;
  }
}

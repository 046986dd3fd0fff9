/** Whether the admission policy is in force, asked now and then: it changes when an administrator applies the manifests. */
import { type Clock, pause } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { type AdmissionPolicyState, admissionPolicyState } from '../kube/policy.ts';

/** Milliseconds until the first question: a cluster whose agents all start at once is busy enough. */
const FIRST = 5_000;
/** With two requests each, 5000 agents ask six times a second. */
const REST = 30 * 60_000;

export interface PolicyWatchOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: () => number;
}

export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  #state: AdmissionPolicyState | undefined;

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
  }

  /** Undefined: not asked yet. */
  get state(): AdmissionPolicyState | undefined {
    return this.#state;
  }

  /** Resolves when the signal aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, random } = this.#options;
    await pause(clock, FIRST * random(), signal);
    while (!signal.aborted) {
      const state = await admissionPolicyState(client, { signal });
      if (signal.aborted) return;
      this.#state = state;
      await pause(clock, REST * (0.75 + random() / 2), signal);
    }
  }
}

/** What is behind our own node, by `prefixes.source`, as it may change while the agent runs. */
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { parseRecord } from '../../mesh/record.ts';
import type { MeshConfig, Prefix } from '../../mesh/types.ts';
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import type { RecordsSource } from '../records/source.ts';
import { aggregate } from './aggregate.ts';
import { PodClaims } from './claims.ts';
import { heldByOthers } from './held.ts';
import { PodAddresses } from './pods.ts';

export type PrefixSource = MeshConfig['prefixSource'];

export interface OwnPrefixes {
  /** What is behind the node now: its own routes and rules go by it. */
  readonly prefixes: readonly Prefix[];
  /** What it tells the others. */
  readonly claimed: readonly Prefix[];
}

export interface OwnPrefixesOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly records: RecordsSource;
  readonly source: () => PrefixSource;
  /** What the last agent claimed, for addresses of pods. */
  readonly former: readonly Prefix[];
  readonly clock: Clock;
  readonly random: () => number;
  /** What `of` says may be another. */
  readonly onChange: () => void;
  /** Undefined: it is over. */
  readonly onTrouble: (error: KubeError | undefined) => void;
  readonly onFault: (error: unknown) => void;
}

export class PrefixesBehind {
  readonly #options: OwnPrefixesOptions;
  #pods: { readonly addresses: PodAddresses; readonly claims: PodClaims; stop(): Promise<void> } | undefined;
  #callOff: () => void = () => {};
  #signal: AbortSignal | undefined;

  constructor(options: OwnPrefixesOptions) {
    this.#options = options;
  }

  /** From now on, until the signal aborts; resolves when nothing is under way any more. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.follow();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#callOff();
    await this.#pods?.stop();
  }

  /** The configuration may name another source. */
  follow(): void {
    const isPods = this.#options.source() === 'pods';
    if (isPods && this.#pods === undefined && this.#signal?.aborted === false) this.#watchPods(this.#signal);
    if (isPods || this.#pods === undefined) return;
    this.#callOff();
    void this.#pods.stop();
    this.#pods = undefined;
    this.#options.onTrouble(undefined);
  }

  /** Undefined while it is not known. */
  of(podCIDRs: readonly Prefix[]): OwnPrefixes | undefined {
    switch (this.#options.source()) {
      case 'podCIDRs':
        return { prefixes: podCIDRs, claimed: podCIDRs };
      case 'annotations':
        return this.#annotated();
      case 'pods':
        return this.#ofPods();
    }
  }

  /** By whoever wrote it: we only read it. */
  #annotated(): OwnPrefixes | undefined {
    const own = this.#options.records.own();
    if (own.state !== 'present') return undefined;
    const { prefixes } = parseRecord({
      ...own.metadata,
      annotations: { [ANNOTATIONS.prefixes]: own.metadata.annotations[ANNOTATIONS.prefixes] ?? '' },
    });
    return { prefixes, claimed: prefixes };
  }

  #ofPods(): OwnPrefixes | undefined {
    const { node, records, clock, onChange } = this.#options;
    const live = this.#pods?.addresses.addresses();
    if (this.#pods === undefined || live === undefined) return undefined;
    const now = clock.now();
    const others = records.records().filter(({ name }) => name !== node);
    const { claimed, nextAt } = this.#pods.claims.update({
      live,
      isHeld: heldByOthers(others),
      nodes: others.length + 1,
      now,
    });
    this.#callOff();
    if (nextAt !== undefined) this.#callOff = clock.after(nextAt - now, onChange);
    return { prefixes: aggregate(live), claimed: aggregate(claimed) };
  }

  #watchPods(signal: AbortSignal): void {
    const { client, node, clock, random, former, onChange, onTrouble, onFault } = this.#options;
    const ending = new AbortController();
    const addresses = new PodAddresses({ client, node, clock, random, onChange, onTrouble, onFault });
    const done = addresses.run(AbortSignal.any([signal, ending.signal]));
    this.#pods = {
      addresses,
      claims: new PodClaims(former),
      stop() {
        ending.abort();
        return done;
      },
    };
  }
}

/** The answer to `/status`, and whether the agent is well and ready. */
import type { PeerStatus } from '../../mesh/types.ts';
import type { Clock } from '../clock.ts';
import type { Health } from '../http/answers.ts';
import type { AdmissionPolicyState } from '../kube/policy.ts';
import type { NodeRecords } from '../records/nodes.ts';
import type { AgentStatus, MeshState, ResourceStatus } from '../status.ts';
import type { KernelLoop } from './kernel-loop.ts';
import type { Live } from './live.ts';
import type { Mesher } from './mesher.ts';
import type { Problems } from './problems.ts';
import type { Publisher } from './publisher.ts';
import { allPeers, generationStatuses, meshState, rotationProgress } from './view.ts';

export interface StatusParts {
  readonly node: string;
  readonly version: string;
  readonly live: Live;
  readonly resource: () => ResourceStatus;
  readonly policy: () => AdmissionPolicyState | undefined;
  readonly mesher: Mesher;
  readonly kernel: KernelLoop;
  readonly publisher: Publisher;
  readonly records: NodeRecords;
  readonly problems: Problems;
  readonly clock: Clock;
  readonly turned: () => boolean;
}

/** Milliseconds without a turn after which the loop counts as stuck: it turns every ten seconds. */
const STUCK = 90_000;

export class StatusView {
  readonly #parts: StatusParts;
  readonly #startedAt: number;
  #state: { readonly state: MeshState; readonly since: number };
  /** Since when Nodes without a record are known, by uid. */
  readonly #knownSince = new Map<string, number>();

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.now();
    this.#state = { state: 'starting', since: this.#startedAt };
  }

  status(): AgentStatus {
    const { node, version, mesher, kernel, publisher, records, problems, clock } = this.#parts;
    const { config, notSelected } = this.#parts.live();
    const { encryption, mode, scope } = config.mesh;
    const { own } = mesher;
    const policy = this.#parts.policy();
    const peers = this.#peers();
    const rotation = rotationProgress(mesher.stance);
    return {
      node,
      ...(own === undefined ? {} : { uid: own.uid }),
      version,
      startedAt: this.#startedAt,
      now: clock.now(),
      encryption,
      mode: mesher.stance?.mode ?? mode,
      scope,
      ...this.#stateNow(peers),
      generations: generationStatuses(mesher.generations, mesher.sending),
      waiting: mesher.waiting,
      ...(rotation === undefined ? {} : { rotation }),
      devices: kernel.report.devices,
      ...(kernel.report.door === undefined ? {} : { door: kernel.report.door }),
      ...(kernel.report.ipsec === undefined ? {} : { ipsec: kernel.report.ipsec }),
      peers,
      refused: mesher.plan?.refused ?? [],
      problems: problems.list(),
      records: records.status(),
      publish: publisher.status,
      config: config.view,
      resource: this.#parts.resource(),
      ...(policy === undefined ? {} : { admissionPolicy: policy }),
      ...(notSelected === undefined ? {} : { notSelected }),
    };
  }

  /** The loop turns, or has nothing to turn on yet. */
  healthy(lastTurnAt: number | undefined): Health {
    const { clock } = this.#parts;
    if (lastTurnAt === undefined || clock.now() - lastTurnAt < STUCK) return undefined;
    return `no turn for ${Math.round((clock.now() - lastTurnAt) / 1000)} s`;
  }

  /** The kernel is as planned and our key is out: others may count on us. */
  ready(): Health {
    const { turned, publisher, records, live } = this.#parts;
    if (!turned()) return 'starting: nothing is known yet';
    if (live().config.mesh.encryption === 'none' || publisher.status.state === 'published') return undefined;
    // A node that booted without the API server works from its disk, and its key has been out before.
    return records.status().source === 'disk'
      ? undefined
      : `our key is not published: ${publisher.status.state}`;
  }

  #peers(): readonly PeerStatus[] {
    const { node, live, kernel, records, clock } = this.#parts;
    const since = (uid: string): number => {
      const known = this.#knownSince.get(uid) ?? clock.now();
      this.#knownSince.set(uid, known);
      return known;
    };
    return allPeers({
      self: node,
      records: records.records(),
      statuses: kernel.statuses,
      encryption: live().config.mesh.encryption,
      since,
    });
  }

  #stateNow(peers: readonly PeerStatus[]): { readonly state: MeshState; readonly since: number } {
    const { live, turned, mesher, clock } = this.#parts;
    const state = meshState({
      encryption: live().config.mesh.encryption,
      started: turned(),
      withdrawing: mesher.withdrawing,
      peers,
    });
    if (state !== this.#state.state) this.#state = { state, since: clock.now() };
    return this.#state;
  }
}

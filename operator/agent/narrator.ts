/** Says what happens: one line of log for a decision, problems with their beginning, numbers for the metrics, events for followers. */
import type { Logger } from 'pino';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import type { PeerState, PeerStatus, Refusal } from '../../mesh/types.ts';
import type { Report } from '../../tunnels/dataplane.ts';
import { type Clock, remaining } from '../clock.ts';
import type { KubeError } from '../kube/errors.ts';
import type { PrefixSource } from '../prefixes/own.ts';
import type { OwnNode } from '../records/disk.ts';
import type { AgentStatus } from '../status.ts';
import type { Events } from './events.ts';
import type { ProblemFacts, Problems } from './problems.ts';
import type { AnnotationChanges } from './publisher.ts';
import { refusalKey } from './view.ts';

export interface NarratorOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly problems: Problems;
  readonly events: Events;
  readonly status: () => AgentStatus;
  readonly refused: () => readonly Refusal[];
  /** Of the steps from generation to generation. Default: none. */
  readonly stuck?: () => readonly ProblemFacts[];
  readonly count: Counters;
}

export interface Counters {
  turn(seconds: number): void;
  error(part: string, code: string): void;
}

/** Milliseconds for which status tells of a door that somebody opened. */
const REMEMBERED = 3_600_000;
/** Milliseconds between two status events. */
const STATUS_PACE = 1_000;
const WORSE: readonly PeerState[] = ['degraded', 'refused', 'unknown'];

export class Narrator {
  readonly #options: NarratorOptions;
  #refused = new Set<string>();
  #statusDue = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: NarratorOptions) {
    this.#options = options;
  }

  peer(peer: PeerStatus, previous: PeerState | undefined): void {
    const { log, events, clock } = this.#options;
    const { node, state, generation, endpoint, reason } = peer;
    if (previous !== state) {
      const facts = {
        event: 'peer',
        peer: node,
        from: previous ?? 'unknown',
        to: state,
        generation,
        endpoint,
        code: reason?.code,
      };
      const level =
        previous === undefined && state === 'configured' ? 'debug' : WORSE.includes(state) ? 'warn' : 'info';
      log[level](facts, `${node}: ${state}${reason === undefined ? '' : `, ${reason.message}`}`);
    }
    events.emit({ type: 'peer', at: clock.now(), ...(previous === undefined ? {} : { previous }), peer });
    this.statusMoved();
  }

  turned(report: Report, seconds: number): void {
    const { log, problems, events, clock, count } = this.#options;
    count.turn(seconds);
    const repaired = report.changes.filter((change) => change.repaired === true);
    for (const change of repaired)
      log.warn(
        { event: 'repair', repaired: change.what, part: change.part },
        `put back what somebody else changed: ${change.what}`,
      );
    const rest = report.changes.length - repaired.length;
    if (rest > 0)
      log.info(
        { event: 'kernel', changes: rest, first: report.changes.find((change) => change.repaired !== true) },
        `changed the kernel: ${rest} ${rest === 1 ? 'item' : 'items'}`,
      );
    for (const change of report.changes) events.emit({ type: 'change', at: clock.now(), change });
    for (const error of report.errors) count.error(error.part, error.code);
    problems.found('turn', []);
    problems.found(
      'kernel',
      report.errors.map(({ code, message, node }) => ({
        code,
        message,
        ...(node === undefined ? {} : { node }),
      })),
    );
    problems.found('door', this.#doorProblems(report));
    problems.found('lifecycle', this.#options.stuck?.() ?? []);
    this.#sayRefusals();
    if (report.changes.length > 0) this.statusMoved();
  }

  #doorProblems({ door }: Report): readonly ProblemFacts[] {
    const { breach } = door ?? {};
    if (breach === undefined || this.#options.clock.now() - breach.until > REMEMBERED) return [];
    const [from, span] = [new Date(breach.since).toISOString(), breach.until - breach.since];
    const message = `the door of strict mode was open for up to ${span} ms from ${from} on, for somebody removed its nftables tables; see to it that nobody flushes all rules of this node ("nft flush ruleset")`;
    return [{ code: 'DOOR_WAS_OPEN', message }];
  }

  turnFailed(error: unknown): void {
    const code = codeOf(error);
    this.#options.count.error('turn', code);
    this.#options.problems.found('turn', [{ code, message: messageOf(error) }]);
    this.statusMoved();
  }

  callFailed(part: string, error: unknown, message: string): void {
    const code = codeOf(error);
    this.#options.count.error(part, code);
    this.#options.problems.found(part, [{ code, message }]);
    this.statusMoved();
  }

  published(): void {
    this.wentWell('publish');
  }

  /** What was wrong with this part is over. */
  wentWell(part: string): void {
    this.#options.problems.found(part, []);
  }

  wrote(changes: AnnotationChanges): void {
    this.#options.log.info({ event: 'publish', annotations: changes }, 'wrote our annotations');
    this.statusMoved();
  }

  ownNode({ name, podCIDRs, prefixes = podCIDRs, addresses }: OwnNode, source: PrefixSource): void {
    const problems = [
      ...(prefixes.length === 0 && source !== 'pods'
        ? [{ code: 'PREFIXES_MISSING', message: `Node ${name} has no ${MISSING[source]}` }]
        : []),
      ...(addresses.length === 0
        ? [
            {
              code: 'ENDPOINT_MISSING',
              message: `Node ${name} has no InternalIP in status.addresses: the others cannot reach it`,
            },
          ]
        : []),
    ];
    this.#options.problems.found('own', problems);
  }

  /** The pods of this node cannot be read; undefined: they can. */
  podsUnknown(error: KubeError | undefined): void {
    // Of an outage the watch of the Nodes tells.
    const ours =
      error === undefined || error.code === 'API_UNREACHABLE' || error.code === 'GONE' ? [] : [error];
    this.#options.problems.found(
      'pods',
      ours.map(({ code, message }) => ({
        code,
        message: `cannot read the pods of this node, whose addresses are its prefixes: grant this agent list and watch on pods: ${message}`,
      })),
    );
  }

  /** The API server does not answer; undefined: it does. */
  connection(error: KubeError | undefined): void {
    if (error !== undefined) this.#options.count.error('records', error.code);
    // Errors of one outage differ in words: the first says enough.
    const known = this.#options.problems
      .list()
      .find((problem) => problem.code === error?.code && problem.node === undefined);
    const message = known?.message ?? `no news from the API server: ${error?.message}`;
    this.#options.problems.found(
      'records',
      error === undefined || error.code === 'GONE' ? [] : [{ code: error.code, message }],
    );
  }

  statusMoved(): void {
    if (this.#statusDue) return;
    this.#statusDue = true;
    const { clock, events, status } = this.#options;
    clock.after(remaining(this.#toldAt, STATUS_PACE, clock.now()), () => {
      this.#statusDue = false;
      this.#toldAt = clock.now();
      // Asked for even when nobody follows: it is how the state gets its `since`.
      const now = status();
      if (events.followed) events.emit({ type: 'status', at: clock.now(), status: now });
    });
  }

  #sayRefusals(): void {
    const { log, refused } = this.#options;
    const now = refused();
    if (now.length === 0 && this.#refused.size === 0) return;
    const keys = new Set(now.map(refusalKey));
    for (const refusal of now) {
      if (this.#refused.has(refusalKey(refusal))) continue;
      const { node, code, inFavourOf, message } = refusal;
      log[code === 'NO_COMMON_GENERATION' || code === 'ENDPOINT_MISSING' ? 'debug' : 'warn'](
        { event: 'refused', peer: node, code, inFavourOf },
        message,
      );
    }
    this.#refused = keys;
  }
}

const MISSING = {
  podCIDRs: 'spec.podCIDRs: its pods are not encrypted until it has',
  annotations: `annotation ${ANNOTATIONS.prefixes}: its pods are not encrypted until whoever hands out their addresses writes it`,
} as const;

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'INTERNAL';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

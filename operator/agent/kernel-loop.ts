/** One turn of the kernel's side: look, judge each peer, decide the routes, make it so, look again. */
import type { PrivateKey } from 'wireguard-tools-wrapper';
import { type Attempt, initiations } from '../../mesh/handshakes.ts';
import { planRoutes } from '../../mesh/routes.ts';
import { peerStatuses } from '../../mesh/status.ts';
import type { DeviceName, MeshPlan, Observation, PeerStatus, RoutePlan } from '../../mesh/types.ts';
import type { Change, Dataplane, DesiredState, ObserveOptions, Report } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';

export interface KernelLoopOptions {
  readonly dataplane: Dataplane;
  readonly clock: Clock;
  readonly privateKey: (generation: number) => PrivateKey;
  readonly onPeer: (peer: PeerStatus, previous: PeerStatus['state'] | undefined) => void;
}

export interface Turn {
  readonly report: Report;
  /** When to take the next turn at the latest, for peers that wait for a handshake; milliseconds since the epoch. */
  readonly nextAt: number | undefined;
}

interface Seen {
  readonly observations: readonly Observation[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const NOTHING_YET: Report = { changes: [], errors: [], devices: [], pending: [] };

export class KernelLoop {
  readonly #options: KernelLoopOptions;
  #statuses: ReadonlyMap<string, PeerStatus> = new Map();
  #attempts: ReadonlyMap<string, Attempt> = new Map();
  #routed: ReadonlySet<string> = new Set();
  #plan: MeshPlan | undefined;
  /** What was read last. */
  #seen: Seen | undefined;
  /** What `#statuses` was made from. */
  #judged: readonly unknown[] = [];
  /** What `#routed` was made from. */
  #wanted: Pick<DesiredState, 'plan' | 'routes'> | undefined;
  #report = NOTHING_YET;

  constructor(options: KernelLoopOptions) {
    this.#options = options;
  }

  /** By node, sorted. */
  get statuses(): ReadonlyMap<string, PeerStatus> {
    return this.#statuses;
  }

  get report(): Report {
    return this.#report;
  }

  /**
   * Reads before it writes, so that what a former agent left is adopted and not written again; but not when only the plan changed:
   * who joins or leaves is written at once, and what the others do is seen at the next look.
   */
  async turn(plan: MeshPlan): Promise<Turn> {
    const { dataplane, clock } = this.#options;
    const replanned = this.#plan !== plan;
    this.#plan = plan;
    if (!replanned || this.#restartDue()) await this.#observe();
    const seen = this.#seen ?? (await this.#observe());
    this.#judge(seen);
    const desired = this.#desired(plan);
    const started = initiations({
      plan,
      statuses: this.#statuses,
      attempts: this.#attempts,
      now: clock.now(),
    });
    this.#attempts = started.attempts;
    this.#report = await dataplane.set({
      ...desired,
      keepalive: started.keepalive,
      restart: started.restart,
    });
    this.#routed = this.#routedNodes(desired);
    this.#judge(seen);
    return { report: this.#report, nextAt: started.nextAt };
  }

  /** Looks only. True when a peer's state moved, so that a turn is due. */
  async look(): Promise<boolean> {
    return this.#plan !== undefined && this.#judge(await this.#observe({ look: true }));
  }

  /** What a turn would change now. */
  async preview(plan: MeshPlan): Promise<readonly Change[]> {
    return this.#options.dataplane.preview(this.#desired(plan));
  }

  /** Takes traffic off the mesh and leaves devices and peers, so that what the others still send arrives. */
  async unroute(plan: MeshPlan): Promise<Report> {
    this.#plan = plan;
    this.#report = await this.#options.dataplane.set({
      ...this.#desired(plan),
      routes: { routes: [], rules: [] },
    });
    this.#routed = new Set();
    this.#wanted = undefined;
    this.#judge(await this.#observe());
    return this.#report;
  }

  /** The same set as before when the same was wanted, and nothing of it failed. */
  #routedNodes(desired: DesiredState): ReadonlySet<string> {
    const { plan, routes } = desired;
    const failed = this.#report.errors.some(({ part }) => part === 'route' || part === 'rule');
    const same = this.#wanted?.plan === plan && this.#wanted.routes === routes;
    this.#wanted = failed ? undefined : { plan, routes };
    return same && !failed ? this.#routed : routedNodes(desired, this.#report);
  }

  #desired(plan: MeshPlan): DesiredState {
    return { plan, routes: planRoutes(plan, this.#statuses), privateKey: this.#options.privateKey };
  }

  async #observe(options: ObserveOptions = {}): Promise<Seen> {
    const observations = await this.#options.dataplane.observe(options);
    this.#seen = { observations, at: this.#options.clock.now() };
    return this.#seen;
  }

  /** Whoever answered since the last look must not be made anew. */
  #restartDue(): boolean {
    const now = this.#options.clock.now();
    for (const { nextAt } of this.#attempts.values()) if (nextAt <= now) return true;
    return false;
  }

  /** True when a peer's state moved. */
  #judge({ observations, at }: Seen): boolean {
    if (this.#plan === undefined) return false;
    const { devices } = this.#report;
    const inputs = [
      this.#plan,
      observations,
      this.#routed,
      ...devices.flatMap(({ name, mtu }) => [name, mtu]),
    ];
    const known = this.#judged;
    if (inputs.length === known.length && inputs.every((input, i) => input === known[i])) return false;
    this.#judged = inputs;
    const previous = this.#statuses;
    this.#statuses = peerStatuses({
      plan: this.#plan,
      previous,
      observations,
      routed: this.#routed,
      deviceMtu: new Map<DeviceName, number>(devices.map(({ name, mtu }) => [name, mtu])),
      now: at,
    });
    let moved = this.#statuses.size !== previous.size;
    for (const status of this.#statuses.values()) {
      const before = previous.get(status.node);
      if (before?.state === status.state && before.generation === status.generation) continue;
      moved = true;
      this.#options.onPeer(status, before?.state);
    }
    return moved;
  }
}

/** Peers all of whose prefixes have a route, but for those whose failed; nobody, when what leads to all routes failed. */
function routedNodes(
  { plan, routes }: { plan: MeshPlan; routes: RoutePlan },
  report: Report,
): ReadonlySet<string> {
  const failed = report.errors.filter((error) => error.part === 'route' || error.part === 'rule');
  if (failed.some((error) => error.node === undefined)) return new Set();
  const without = new Set(failed.map((error) => error.node));
  const through = new Set(
    routes.routes.flatMap(({ action, prefix }) => (action.type === 'device' ? [prefix] : [])),
  );
  return new Set(
    plan.peers
      .filter((peer) => !without.has(peer.node) && peer.prefixes.every((prefix) => through.has(prefix)))
      .map((peer) => peer.node),
  );
}

/** One turn of the kernel's side: look, judge each peer, decide the routes, make it so, look again. */
import type { PrivateKey } from 'wireguard-tools-wrapper';
import { type Attempt, initiations } from '../../mesh/handshakes.ts';
import type { Silence } from '../../mesh/lifecycle-types.ts';
import { planRoutes } from '../../mesh/routes.ts';
import { peerStatuses } from '../../mesh/status.ts';
import type { DeviceName, MeshPlan, Observation, PeerStatus } from '../../mesh/types.ts';
import type { Change, Dataplane, DesiredState, ObserveOptions, Report } from '../../tunnels/dataplane.ts';
import type { Clock } from '../clock.ts';
import { routedNodes } from './routed.ts';
import { Silences } from './silences.ts';

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
  #routed: ReadonlyMap<string, number> = new Map();
  #plan: MeshPlan | undefined;
  /** What was read last. */
  #seen: Seen | undefined;
  /** What `#statuses` was made from. */
  #judged: readonly unknown[] = [];
  /** What `#routed` was made from. */
  #wanted: Pick<DesiredState, 'plan' | 'routes'> | undefined;
  #report = NOTHING_YET;
  readonly #silences = new Silences();

  constructor(options: KernelLoopOptions) {
    this.#options = options;
  }

  /** By node, sorted. */
  get statuses(): ReadonlyMap<string, PeerStatus> {
    return this.#statuses;
  }

  /** By generation that nothing is sent on any more. */
  get silences(): ReadonlyMap<number, Silence> {
    return this.#silences.list;
  }

  /** Whether a handshake may come that changes something: look often. */
  get waits(): boolean {
    return this.#attempts.size > 0 || [...this.#statuses.values()].some(isWaiting);
  }

  get report(): Report {
    return this.#report;
  }

  /**
   * Reads before it writes, so that what a former agent left is adopted and not written again; but not when only the plan changed:
   * who joins or leaves is written at once, and what the others do is seen at the next look. What was seen of a device or a peer that was
   * removed since is worth nothing when it comes back.
   */
  async turn(plan: MeshPlan): Promise<Turn> {
    const { dataplane, clock } = this.#options;
    const before = this.#plan;
    const replanned = before !== plan;
    const otherDevices = before?.devices !== plan.devices;
    this.#plan = plan;
    if (!replanned || otherDevices || this.#restartDue()) await this.#observe();
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
    if (before !== undefined && replanned && dropsKeys(before, plan)) this.#seen = undefined;
    return { report: this.#report, nextAt: started.nextAt };
  }

  /** Looks only. True when a peer's state moved, so that a turn is due. */
  async look(): Promise<boolean> {
    return this.#plan !== undefined && this.#judge(await this.#observe({ look: true }));
  }

  /** What a former agent left, before the first turn: reads, and keeps nothing. */
  async found(): Promise<readonly Observation[]> {
    return this.#options.dataplane.observe({ look: true });
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
    this.#routed = new Map();
    this.#wanted = undefined;
    this.#judge(await this.#observe());
    return this.#report;
  }

  /** The same map as before when the same was wanted, and nothing of it failed. */
  #routedNodes(desired: DesiredState): ReadonlyMap<string, number> {
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
    const at = this.#options.clock.now();
    this.#seen = { observations, at };
    if (this.#plan !== undefined) this.#silences.saw(this.#plan, observations, at);
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
      if (before !== undefined && sameStand(before, status)) continue;
      moved = true;
      this.#options.onPeer(status, before?.state);
    }
    return moved;
  }
}

function sameStand(a: PeerStatus, b: PeerStatus): boolean {
  return (
    a.state === b.state && a.generation === b.generation && a.established?.at(-1) === b.established?.at(-1)
  );
}

function isWaiting({ state }: PeerStatus): boolean {
  return state === 'configured' || state === 'established';
}

function dropsKeys(before: MeshPlan, after: MeshPlan): boolean {
  const peers = new Map(after.peers.map((peer) => [peer.node, peer]));
  return before.peers.some((peer) => {
    const now = peers.get(peer.node);
    if (now === peer) return false;
    const keys = now?.links.map(({ publicKey }) => publicKey) ?? [];
    return !peer.links.every(({ publicKey }) => keys.includes(publicKey));
  });
}

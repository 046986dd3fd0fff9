/** Opens the door to the kernel: what the agent and `sheath cleanup` call. */
import type { MeshPlan, Observation } from '../mesh/types.ts';
import type { Change, Dataplane, DesiredState, ObserveOptions, Report } from './dataplane.ts';
import { DEVICE_NAMES, generationOf, isOurs } from './devices/devices.ts';
import { Outcome } from './failure.ts';
import type { Notice } from './netlink/types.ts';
import { createParts } from './parts.ts';
import type { DataplaneOptions } from './ports.ts';
import { type Parts, setAll } from './set.ts';
import { judge } from './watch.ts';

export type { DataplaneOptions, Runner } from './ports.ts';

/** Milliseconds in which the notices of our last writes come out of the socket: the kernel has put them there already. */
const SETTLING = 20;

/** How often the firewall is looked at, in milliseconds: nobody tells of its changes. More often where it is a shut door. */
const FIREWALL_CHECK = 1000;
const DOOR_CHECK = 250;
/** Milliseconds until a door that could not be shut again is tried once more. */
const DOOR_RETRY = 2000;

/** Opens the netlink sockets; writes nothing. @throws ErrnoException of socket(2) when a socket cannot be opened. */
export async function createDataplane(options: DataplaneOptions): Promise<Dataplane> {
  return new KernelDataplane(options, createParts(options));
}

class KernelDataplane implements Dataplane {
  readonly #options: DataplaneOptions;
  readonly #parts: Parts;
  readonly #closed = new AbortController();
  readonly #subscribers = new Set<(what: string) => void>();
  #turn: Promise<unknown> = Promise.resolve();
  #plan: MeshPlan | undefined;
  /** Came while a `set` was at work, whose own doing they may be: judged when it knows what it did. */
  #deferred: Notice[] | undefined;
  #settling: NodeJS.Timeout | undefined;
  #check: NodeJS.Timeout | undefined;

  constructor(options: DataplaneOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    parts.kernel.netlink.watch((notice) => {
      if (this.#deferred === undefined) this.#judge(notice);
      else this.#deferred.push(notice);
    }, this.#closed.signal);
  }

  set(desired: DesiredState): Promise<Report> {
    return this.#inTurn(async () => {
      const mode = this.#plan?.mode;
      this.#plan = desired.plan;
      if (this.#subscribers.size > 0 && mode !== desired.plan.mode) this.#checkLater();
      return setAll(this.#parts, desired, new Outcome());
    });
  }

  shut(plan: MeshPlan): Promise<Report> {
    return this.#inTurn(async () => {
      const outcome = new Outcome();
      this.#plan ??= plan;
      await this.#parts.firewall.shut(plan, outcome);
      return { changes: outcome.changes, errors: outcome.errors, devices: [], pending: [] };
    });
  }

  /** A second dataplane, which knows nothing yet and whose writes go nowhere, says what it would do. */
  async preview(desired: DesiredState): Promise<readonly Change[]> {
    const parts = createParts(this.#options, { dry: true });
    try {
      return (await setAll(parts, desired, new Outcome())).changes;
    } finally {
      parts.driver.close();
      parts.firewall.close();
      parts.kernel.netlink.close();
    }
  }

  observe({ look = false }: ObserveOptions = {}): Promise<readonly Observation[]> {
    return this.#inTurn(async () => {
      const found: Observation[] = [];
      for (const name of DEVICE_NAMES) {
        const link = await this.#parts.kernel.link(name);
        if (link === undefined || !isOurs(link)) continue;
        found.push(...(await this.#parts.driver.observe(name, { generation: generationOf(link), look })));
        if (this.#parts.driver.disturbed(name)) this.#tell(`peers of ${name}`);
      }
      return found;
    });
  }

  watch(onChange: (what: string) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#subscribers.add(onChange);
    if (this.#subscribers.size === 1) this.#checkLater();
    const stop = () => {
      this.#subscribers.delete(onChange);
      if (this.#subscribers.size === 0) clearTimeout(this.#check);
    };
    signal.addEventListener('abort', stop, { once: true });
    this.#closed.signal.addEventListener('abort', stop, { once: true });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#turn;
    clearTimeout(this.#settling);
    this.#parts.driver.close();
    this.#parts.firewall.close();
    this.#parts.kernel.netlink.close();
  }

  /** One at a time, and none while nobody watches. */
  #checkLater(wait = this.#plan?.mode === 'strict' ? DOOR_CHECK : FIREWALL_CHECK): void {
    clearTimeout(this.#check);
    this.#check = setTimeout(() => {
      void this.#checkFirewall().then((next) => {
        if (this.#subscribers.size > 0) this.#checkLater(next);
      });
    }, wait).unref();
  }

  /** A door is shut again here and now: whoever is told may be waiting for something else. @returns when to look again, if it matters */
  async #checkFirewall(): Promise<number | undefined> {
    const { firewall } = this.#parts;
    const tampered = await firewall.tampered().catch(() => false);
    if (!tampered) return undefined;
    const outcome = new Outcome();
    const plan = this.#plan;
    if (plan?.mode === 'strict') await firewall.mend(plan, outcome);
    this.#tell('firewall');
    return outcome.errors.length > 0 ? DOOR_RETRY : undefined;
  }

  #judge(notice: Notice): void {
    const what = judge(notice, this.#parts, this.#plan);
    if (what !== undefined) this.#tell(what);
  }

  #tell(what: string): void {
    for (const onChange of this.#subscribers) onChange(what);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const guarded = async () => {
      // What another hand did just before the call is in the socket: one turn of the event loop brings it in.
      await new Promise((resolve) => setImmediate(resolve));
      clearTimeout(this.#settling);
      this.#deferred ??= [];
      try {
        return await task();
      } finally {
        this.#settling = setTimeout(() => this.#settle(), SETTLING).unref();
      }
    };
    const run = this.#turn.then(guarded, guarded);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  /**
   * Of links and addresses there were notices of every step on our own way, which look like another's hand now that we are past
   * them. So of these only the outcome is judged; what was in between is read again with the next `set`.
   */
  #settle(): void {
    const notices = this.#deferred;
    this.#deferred = undefined;
    if (notices === undefined || this.#closed.signal.aborted) return;
    const steps = notices.filter(({ type }) => type === 'link' || type === 'address');
    for (const notice of notices) if (!steps.includes(notice)) this.#judge(notice);
    const surprising = steps.some((notice) => judge(notice, this.#parts, this.#plan) !== undefined);
    if (!surprising) return;
    this.#inTurn(() => this.#checkDevices()).catch((error: unknown) =>
      this.#tell(`devices: ${String(error)}`),
    );
  }

  async #checkDevices(): Promise<void> {
    const plan = this.#plan;
    this.#parts.kernel.spoil('links', 'addresses', 'routes');
    if (plan !== undefined && !(await this.#parts.devices.intact(plan))) this.#tell('devices');
  }
}

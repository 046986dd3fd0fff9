/** Routes: the wanted ones in our tables, and no other of ours anywhere. */
import type { DeviceName, RouteEntry, RoutePlan, RoutingConfig } from '../../mesh/types.ts';
import { changedItems, Delta } from '../delta.ts';
import { change, type Outcome, refused } from '../failure.ts';
import type { Kernel } from '../kernel.ts';
import { familyOf } from '../netlink/ip.ts';
import { routeMetric } from '../netlink/routes.ts';
import { PROTOCOL, type Route, type RouteChange, type Write } from '../netlink/types.ts';

/** Index of each device of ours that exists and is up. */
export type Indexes = ReadonlyMap<DeviceName, number>;

/** A route as the kernel has it, or as it will have it: `51830 10.244.2.0/24` is its key, the rest its value. */
interface Actual {
  readonly change: RouteChange;
}

export class Routes {
  readonly #kernel: Kernel;
  readonly #delta = new Delta<RouteEntry, Actual>((wanted, actual) => this.#equal(wanted, actual));
  #last: readonly RouteEntry[] = [];
  #indexes: Indexes = new Map();
  /** `table/family` in foreign hands, and by key what foreign routes would be overwritten. */
  #foreign = new Map<string, Route>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Takes the wanted routes in, and reads the kernel's where that is needed. */
  async refresh(routes: RoutePlan, indexes: Indexes, routing: RoutingConfig): Promise<void> {
    const moved = !sameIndexes(indexes, this.#indexes);
    this.#indexes = indexes;
    const { gone, come } = changedItems(this.#last, routes.routes);
    this.#last = routes.routes;
    for (const entry of gone) this.#delta.unwant(keyOf(entry.table, entry.prefix));
    for (const entry of come) this.#delta.want(keyOf(entry.table, entry.prefix), entry);
    // A device that came again has another index, and its routes went with the old one.
    if (moved) this.#kernel.spoil('routes');
    if (this.#kernel.takeStale('routes')) await this.#read(routing);
  }

  /** @returns the families of which routes were written. */
  async add(outcome: Outcome, routing: RoutingConfig): Promise<ReadonlySet<4 | 6>> {
    const blocked = this.#complain(outcome, routing);
    const updates = this.#delta.updates().flatMap((update) => {
      const route = this.#resolve(update.wanted);
      const refusedTable = blocked.has(tableKey(update.wanted.table, update.wanted.prefix));
      return route === undefined || refusedTable || this.#foreign.has(update.key)
        ? []
        : [{ ...update, route }];
    });
    const writes = updates.map(({ route }): Write => ({ type: 'replaceRoute', route }));
    const results = await this.#kernel.netlink.write(writes);
    const families = new Set<4 | 6>();
    for (const [i, { key, wanted, actual, repaired, route }] of updates.entries()) {
      const error = results[i];
      if (error !== undefined) {
        outcome.failed(refused('route', describe(wanted), error));
        this.#kernel.spoil('routes', 'links', 'addresses');
        continue;
      }
      this.#delta.wrote(key, { change: route });
      families.add(familyOf(route.prefix));
      outcome.changed(
        change('route', actual === undefined ? 'add' : 'change', { what: describe(wanted), repaired }),
      );
    }
    return families;
  }

  async remove(outcome: Outcome): Promise<ReadonlySet<4 | 6>> {
    const removals = this.#delta
      .removals()
      .flatMap(({ key, actual, repaired }) =>
        actual === undefined ? [] : [{ key, repaired, route: actual.change }],
      );
    const results = await this.#kernel.netlink.write(
      removals.map(({ route }): Write => ({ type: 'removeRoute', route })),
    );
    const families = new Set<4 | 6>();
    for (const [i, { key, route, repaired }] of removals.entries()) {
      const error = results[i];
      // Gone with its device or its source address: the kernel did it for us.
      if (error !== undefined && error.code !== 'ESRCH' && error.code !== 'ENODEV') {
        outcome.failed(refused('route', `${route.prefix} table ${route.table}`, error));
        continue;
      }
      this.#delta.removed(key);
      if (error === undefined) {
        families.add(familyOf(route.prefix));
        outcome.changed(
          change('route', 'remove', { what: `${route.prefix} table ${route.table}`, repaired }),
        );
      }
    }
    return families;
  }

  /** Whether a notice about a route tells something that is not known. */
  surprises(route: Route, removed: boolean): boolean {
    const key = keyOf(route.table, route.prefix, route.metric);
    const known = this.#delta.actual(key);
    if (route.protocol !== PROTOCOL) return !removed && known !== undefined;
    if (removed) return known !== undefined;
    return known === undefined || !sameRoute(known.change, route);
  }

  /** Writes that `preview` and `set` skip because the device is missing are told by the device's own error. */
  #resolve(entry: RouteEntry): RouteChange | undefined {
    const { table, prefix, action } = entry;
    const metric = routeMetric(prefix);
    if (action.type === 'throw') return { table, prefix, metric, throw: true };
    const link = this.#indexes.get(action.device);
    if (link === undefined) return undefined;
    return {
      table,
      prefix,
      metric,
      throw: false,
      link,
      ...(action.source === undefined ? {} : { source: action.source }),
    };
  }

  #equal(wanted: RouteEntry, actual: Actual): boolean {
    const route = this.#resolve(wanted);
    return route !== undefined && sameRoute(route, actual.change);
  }

  async #read(routing: RoutingConfig): Promise<void> {
    const tables = new Set([routing.table, routing.podTable]);
    const found = await this.#kernel.netlink
      .routes((table, protocol) => protocol === PROTOCOL || tables.has(table))
      .catch((error: unknown) => {
        this.#kernel.spoil('routes');
        throw error;
      });
    const actual = new Map<string, Actual>();
    this.#foreign = new Map();
    for (const route of found) {
      const key = keyOf(route.table, route.prefix, route.metric);
      if (route.protocol === PROTOCOL) actual.set(key, { change: route });
      else this.#foreign.set(key, route);
    }
    this.#delta.read(actual);
  }

  /** Names tables that others use. @returns those in which nothing of ours is yet, and nothing shall be. */
  #complain(outcome: Outcome, routing: RoutingConfig): ReadonlySet<string> {
    const foreign = new Map<string, Route>();
    for (const route of this.#foreign.values()) foreign.set(tableKey(route.table, route.prefix), route);
    if (foreign.size === 0) return new Set();
    for (const [, { change: ours }] of this.#delta.actualEntries()) {
      const key = tableKey(ours.table, ours.prefix);
      if (foreign.has(key)) this.#adopted.add(key);
    }
    const blocked = new Set<string>();
    for (const [key, route] of foreign) {
      const flag = route.table === routing.table ? '--routing-table' : '--routing-pod-table';
      outcome.failed({
        part: 'route',
        code: 'TABLE_FOREIGN',
        message: `route ${route.prefix} in table ${route.table} (protocol ${route.protocol}) is not ours; remove it, or choose another table with ${flag}`,
      });
      if (!this.#adopted.has(key)) blocked.add(key);
    }
    return blocked;
  }

  /** Tables in which routes of ours stood before the foreign ones were seen. */
  readonly #adopted = new Set<string>();
}

const tableKey = (table: number, prefix: string) => `${table}/${familyOf(prefix)}`;

/** As the kernel keys it; the metric only where it is not the one all of ours have. */
function keyOf(table: number, prefix: string, metric?: number): string {
  const key = `${table} ${prefix}`;
  return metric === undefined || metric === routeMetric(prefix) ? key : `${key} metric ${metric}`;
}

function sameRoute(a: RouteChange, b: RouteChange & { strange?: boolean }): boolean {
  return b.strange !== true && a.throw === b.throw && a.link === b.link && a.source === b.source;
}

function sameIndexes(a: Indexes, b: Indexes): boolean {
  return a.size === b.size && [...a].every(([name, index]) => b.get(name) === index);
}

/** `10.244.2.0/24 dev sheath1 src 192.0.2.10 table 51830`, `throw 10.244.1.0/24 table 51830`. */
export function describe({ table, prefix, action }: RouteEntry): string {
  if (action.type === 'throw') return `throw ${prefix} table ${table}`;
  const source = action.source === undefined ? '' : ` src ${action.source}`;
  return `${prefix} dev ${action.device}${source} table ${table}`;
}
